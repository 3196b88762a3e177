// @ts-check
// Lines of tokens that are chosen often: ours, and those that the user has saved, in this browser.
import { fill, formatTokens, h, icon, isolate, parseTokens, pref, setPref, t } from "../lib/index.js";
import { askInDialog, formField } from "../parts/index.js";

const OURS = {
	failedToday: "status:failed since:24h", silent: "is:silent", waiting: "is:waiting", costly: "since:7d cost:>0.01",
};
const MOST = 50;
const NAME_LENGTH = 60;

/** @typedef {{name: string, line: string}} Saved */

export class TokenViews {
	element = h("nav.token-views", { "aria-label": t("tokens.views") });
	#onChoose;
	#line = "";

	/** @param {(line: string) => void} onChoose */
	constructor(onChoose) {
		this.#onChoose = onChoose;
	}

	/** @param {string} line What is chosen now, as `formatTokens` has it. */
	show(line) {
		this.#line = line;
		const own = saved();
		const isKnown = [...own.map((view) => view.line), ...Object.values(OURS)].some((one) => plain(one) === line);
		fill(this.element,
			Object.entries(OURS).map(([name, tokens]) => this.#button(t(`tokens.${name}`), tokens)),
			own.map(({ name, line: tokens }) => h("span.own-view",
				this.#button(isolate(name), tokens),
				h("button.button.button-icon", {
					type: "button", title: t("tokens.remove", { name }), "aria-label": t("tokens.remove", { name }), onclick: () => this.#remove(name),
				}, icon("close")))),
			line && !isKnown && own.length < MOST
				&& h("button.button.view-save", { type: "button", onclick: () => this.#ask() }, icon("plus"), t("tokens.save")));
	}

	#button(words, tokens) {
		return h("button.button", {
			type: "button", title: tokens, "aria-pressed": String(this.#line === plain(tokens)), onclick: () => this.#onChoose(tokens),
		}, words);
	}

	#ask() {
		const line = this.#line;
		const input = h("input", { type: "text", value: line.slice(0, NAME_LENGTH), maxlength: NAME_LENGTH });
		askInDialog({
			title: t("tokens.save"), button: t("tokens.keep"),
			content: [h("p", h("code", isolate(line))), formField("name", t("tokens.name"), input, t("tokens.hint"))],
			send: async () => input.value.trim() || line,
			onDone: (name) => this.#keep([...saved().filter((view) => view.name !== name), { name, line }]),
		});
		input.select();
	}

	#remove(name) {
		this.#keep(saved().filter((view) => view.name !== name));
		/** @type {HTMLElement} */ ([...this.element.querySelectorAll(":scope > button")].at(-1)).focus();
	}

	/** @param {Saved[]} views */
	#keep(views) {
		setPref("views", JSON.stringify(views));
		this.show(this.#line);
	}
}

function plain(line) {
	return formatTokens(parseTokens(line).filters);
}

/** @returns {Saved[]} What another version has left, or another hand, counts only as far as it is understood. */
function saved() {
	try {
		const views = JSON.parse(pref("views", "[]"));
		return Array.isArray(views) ? views.filter((view) => typeof view?.name === "string" && typeof view.line === "string") : [];
	} catch {
		return [];
	}
}
