// @ts-check
// The one line of tokens that chooses tasks, in every view of tasks: what is typed, what it may become,
// what of it is no token, and the lines that are chosen often. What it chooses stands in the address.
import { completions, fill, FILTERS, formatTokens, h, parseTokens, setQuery, t } from "../lib/index.js";
import { api } from "../data/index.js";
import { TokenViews } from "./token-views.js";

const TYPING_MS = 250;

export class TokenLine {
	/** @type {Record<string, string>} What is chosen, by the API's names. */
	filters = {};
	wrong = h("p.tokens-wrong", { role: "status", id: "tokens-wrong" });
	#known = { agents: /** @type {string[]} */ ([]), projects: /** @type {string[]} */ ([]) };
	#choices = h("datalist", { id: "tokens" });
	#line = /** @type {HTMLInputElement} */ (h("input.tokens", {
		type: "search", list: "tokens", autocomplete: "off", spellcheck: "false",
		"aria-label": t("tokens.label"), placeholder: t("tokens.example"), "aria-describedby": "tokens-wrong",
	}));
	#views = new TokenViews((line) => {
		this.#line.value = line;
		this.#choose();
	});
	#isOfProject;
	#onchoose;
	#typed = 0;

	/**
	 * @param {URLSearchParams} query What is chosen at first.
	 * @param {() => void} onchoose Other `filters` are chosen.
	 * @param {boolean} isOfProject Whether all is of one project, and that cannot be chosen.
	 */
	constructor(query, onchoose, isOfProject = false) {
		this.#onchoose = onchoose;
		this.#isOfProject = isOfProject;
		this.filters = this.#allowed(Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value)));
		this.#line.value = formatTokens(this.filters);
		this.#line.addEventListener("input", () => {
			this.#complete();
			clearTimeout(this.#typed);
			this.#typed = setTimeout(() => this.#line.isConnected && this.#choose(), TYPING_MS);
		});
		const form = h("form.filters.token-form", { role: "search", "aria-label": t("filter.title"), onsubmit: (event) => event.preventDefault() },
			this.#line, this.#choices);
		this.elements = [form, this.#views.element];
		this.#views.show(this.#line.value);
	}

	/** @param {Record<string, string>} filters */
	#allowed({ project, ...filters }) {
		return project && !this.#isOfProject ? { project, ...filters } : filters;
	}

	/** What can follow what is typed; agents and projects are those that the server knows. */
	async #complete() {
		if (!this.#known.agents.length) {
			const [{ agents }, { projects }] = await Promise.all([api.stats(), api.projects({ limit: 100 })]);
			this.#known = { agents: agents.map(({ name }) => name), projects: projects.map(({ name }) => name) };
		}
		const lines = completions(this.#line.value, this.#known)
			.filter((line) => !this.#isOfProject || !/(^|\s)project:\S*$/.test(line));
		fill(this.#choices, lines.map((value) => h("option", { value })));
	}

	#choose() {
		const { filters, wrong } = parseTokens(this.#line.value);
		this.filters = this.#allowed(filters);
		if (filters.project && !this.filters.project) wrong.push(formatTokens({ project: filters.project }));
		this.#line.setAttribute("aria-invalid", String(wrong.length > 0));
		this.wrong.textContent = wrong.length ? t("tokens.wrong", { tokens: wrong.join(" ") }) : "";
		setQuery({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), ...this.filters });
		this.#views.show(formatTokens(this.filters));
		this.#onchoose();
	}
}
