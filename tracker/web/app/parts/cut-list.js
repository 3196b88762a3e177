// @ts-check
// A list that shows its first lines, and all of them when asked.
import { h, keyed, t, text } from "../lib/index.js";

const FIRST = 10;

export class CutList {
	#container;
	#show;
	#keyOf;
	#isCut = true;
	/** @type {any[]} */
	#lines = [];
	#more = h("button.button", { type: "button", onclick: () => this.#showAll() });
	#note = h("p.quiet");
	/** What stands below the list. */
	below = h("div.cut-below", this.#more, this.#note);

	/**
	 * @param {HTMLElement} container
	 * @param {(line: any) => string} keyOf
	 * @param {(line: any) => HTMLElement} make
	 * @param {(element: any, line: any) => void} update
	 */
	constructor(container, keyOf, make, update) {
		this.#container = container;
		this.#keyOf = keyOf;
		this.#show = keyed(container, make, update);
	}

	/** `note`: what there is besides all these lines, or "". */
	update(lines, note) {
		this.#lines = lines;
		text(this.#note, note);
		this.#draw();
	}

	#draw() {
		const hidden = this.#isCut ? Math.max(0, this.#lines.length - FIRST) : 0;
		this.#show(this.#lines.slice(0, this.#lines.length - hidden), this.#keyOf);
		text(this.#more, t("insights.more", { count: hidden }));
		this.#more.hidden = !hidden;
		this.#note.hidden = !this.#note.textContent;
	}

	/** The focus goes to the first line that was not there. */
	#showAll() {
		this.#isCut = false;
		this.#draw();
		/** @type {HTMLElement | null | undefined} */ (this.#container.children[FIRST]?.querySelector("a, summary"))?.focus();
	}
}
