// @ts-check
// <keys-section>: the keys of one's own, for administrators.
import { fill, h, icon, isolate, keyed, t, text } from "../lib/index.js";
import { api, serverNow } from "../data/index.js";
import { timeShown } from "../parts/index.js";
import { makeKey, revokeKey, rotateKey } from "./key-dialogs.js";

const COLUMNS = ["name", "role", "projects", "created", "expires", "lastUsed"];

class KeysSection extends HTMLElement {
	#title = h("h2", { tabindex: "-1" }, t("keys.title"));
	#said = h("p.quiet", { role: "status" });
	#rows = h("tbody", { role: "rowgroup" });
	#none = h("p.empty-note", t("keys.none"));
	#table = h("table.records", { role: "table" },
		h("caption", t("keys.caption")),
		h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
			COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader" }, t(`keys.${name}`))),
			h("th", { scope: "col", role: "columnheader" }, h("span.sr-only", t("keys.actions"))))),
		this.#rows);
	#show = keyed(this.#rows, () => h("tr", { role: "row" }), (row, key) => this.#fillRow(row, key));

	connectedCallback() {
		if (this.firstChild) return;
		this.className = "section";
		this.append(
			h("div.section-head", this.#title,
				h("button.button", { type: "button", onclick: () => makeKey(this.#done) }, icon("plus"), t("keys.make"))),
			this.#said, this.#table, this.#none);
		this.#table.hidden = this.#none.hidden = true;
	}

	/** Throws what the API throws. */
	async load() {
		const { keys } = await api.keys();
		this.#show(keys, (key) => key.name);
		this.#table.hidden = !keys.length;
		this.#none.hidden = keys.length > 0;
	}

	#done = async (words) => {
		// Once the dialog is gone, so that it is heard.
		text(this.#said, words);
		await this.load().catch((error) => text(this.#said, `${words} ${error.message}`));
		if (this.isConnected && document.activeElement === document.body) this.#title.focus();
		this.dispatchEvent(new Event("change"));
	};

	#fillRow(row, key) {
		const [head, ...cells] = this.#cells(key);
		if (!row.firstChild) {
			row.append(h("th", { scope: "row", role: "rowheader" }, h("div")),
				...cells.map((_, index) => h("td", { role: "cell", "data-label": t(`keys.${COLUMNS[index + 1]}`) }, h("div"))),
				h("td.row-actions", { role: "cell" }, this.#actions(key.name, () => row.key)));
		}
		row.key = key;
		[head, ...cells].forEach((content, index) => fill(row.children[index].firstChild, ...content));
	}

	#cells(key) {
		const { expires_at: end, rotating_until: overlap, last_used_at: used } = key;
		const over = end && Date.parse(end) <= serverNow();
		return [
			[isolate(key.name)],
			[key.role],
			[key.projects ? h("ul", key.projects.map((name) => h("li", isolate(name)))) : t("keys.all")],
			[timeShown(key.created_at)],
			[
				end ? h(over ? "strong.is-over" : "span", over && `${t("keys.expired")} `, timeShown(end, "full")) : t("keys.never"),
				overlap && h("div.quiet", t("keys.rotatingUntil"), " ", timeShown(overlap, "full")),
			],
			used ? [timeShown(used), " ", t("keys.from", { address: key.last_used_from })] : [t("keys.neverUsed")],
		];
	}

	#actions(name, key) {
		const action = (verb, act) => h("button.button", {
			type: "button", "aria-label": t(`keys.${verb}Title`, { name }), onclick: () => act(key(), this.#done),
		}, t(`keys.${verb}`));
		return [action("rotate", rotateKey), action("revoke", revokeKey)];
	}
}

customElements.define("keys-section", KeysSection);
