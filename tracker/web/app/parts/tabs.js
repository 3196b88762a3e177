// @ts-check
// Tabs as WAI-ARIA has them: one of them in the order of the Tab key, arrows go along them. What a
// tab shows is built when it is first chosen.
import { h } from "../lib/index.js";

let made = 0;

export class Tabs {
	#buttons;
	#panels;
	#onchoose;
	#label = `tabs-${++made}`;
	chosen = "";

	/**
	 * @param {string} label What they are together.
	 * @param {Record<string, string>} names The words on each, by its name.
	 * @param {(name: string) => void} onchoose Its reader wants this one: whether it is selected is for the owner to say.
	 */
	constructor(label, names, onchoose) {
		this.#onchoose = onchoose;
		const id = (name, what) => `${this.#label}-${name}-${what}`;
		this.#buttons = Object.fromEntries(Object.entries(names).map(([name, words]) => [name, h("button.tab", {
			type: "button", role: "tab", id: id(name, "tab"), "aria-controls": id(name, "panel"), "aria-selected": "false",
			tabindex: "-1", onclick: () => this.#onchoose(name),
		}, words)]));
		this.#panels = Object.fromEntries(Object.keys(names).map((name) => [name, h(`div.panel.panel-${name}`, {
			role: "tabpanel", id: id(name, "panel"), "aria-labelledby": id(name, "tab"), hidden: true,
		})]));
		this.list = h("div.tab-list", { role: "tablist", "aria-label": label, onkeydown: (event) => this.#onKey(event) },
			Object.values(this.#buttons));
		this.elements = [this.list, ...Object.values(this.#panels)];
	}

	panel(name) {
		return this.#panels[name];
	}

	/** Offer it, or not. */
	offer(name, isOffered) {
		this.#buttons[name].hidden = !isOffered;
	}

	has(name) {
		return Object.hasOwn(this.#buttons, name) && !this.#buttons[name].hidden;
	}

	select(chosen) {
		this.chosen = chosen;
		for (const [name, button] of Object.entries(this.#buttons)) {
			button.setAttribute("aria-selected", String(name === chosen));
			button.tabIndex = name === chosen ? 0 : -1;
			this.#panels[name].hidden = name !== chosen;
		}
	}

	#onKey(event) {
		const names = Object.keys(this.#buttons).filter((name) => this.has(name));
		const at = names.indexOf(this.chosen);
		const next = {
			ArrowRight: names[(at + 1) % names.length], ArrowLeft: names.at(at - 1), Home: names[0], End: names.at(-1),
		}[event.key];
		if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
		event.preventDefault();
		this.#onchoose(next);
		this.#buttons[next].focus();
	}
}
