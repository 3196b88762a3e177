// @ts-check
// What all views share: they read a snapshot, then follow the store, and stop when they leave.
import { h, t } from "../lib/index.js";
import { onTick, store } from "../data/index.js";

export class View extends HTMLElement {
	#undo = [];
	#loading = {};

	connectedCallback() {
		this.setAttribute("aria-busy", "true");
		this.render();
		this.#undo.push(store.subscribe((events) => (events ? this.update(events) : this.reset())));
		this.#undo.push(onTick(() => this.tick()));
		this.reload();
	}

	disconnectedCallback() {
		for (const undo of this.#undo) undo();
		this.#undo = [];
	}

	/** Build the parts that stay; called once, before the first data. */
	render() {}

	/** Read the snapshot; throws what the API throws. */
	async load() {}

	/** Events have arrived; the store has applied them. */
	update(_events) {}

	/** The store was emptied. */
	reset() {
		this.reload();
	}

	/** A second has passed. */
	tick() {}

	async reload() {
		const mine = (this.#loading = {});
		/** @type {any} */
		let failure = null;
		try {
			await this.load();
		} catch (error) {
			failure = error;
		}
		if (mine !== this.#loading || !this.isConnected) return;
		this.problem(failure);
		this.setAttribute("aria-busy", "false");
	}

	problem(error) {
		this.querySelector(":scope > .problem")?.remove();
		if (!error || error.status === 401) return;
		this.append(problemWith(error, () => this.reload()));
	}
}

/** What went wrong with a request, and a button to try it again. */
export function problemWith(error, retry) {
	return h("div.problem", { role: "alert" },
		h("p", error.status ? error.message : t("problem.unreachable")),
		h("button.button", { type: "button", onclick: retry }, t("problem.retry")));
}
