// @ts-check
// What all views share: they read a snapshot, then follow the store, and stop when they leave.
import { h, t } from "../lib/index.js";
import { mayPass, onTick, renewal, store } from "../data/index.js";

const FIRST_RETRY = 2000;
const LAST_RETRY = 30_000;

/** A part of a view wants all of the view read. */
export function renew(part) {
	part.dispatchEvent(new Event("renew", { bubbles: true }));
}

/** A part of a view could not read what it shows. */
export function failed(part, error) {
	part.dispatchEvent(new CustomEvent("failed", { bubbles: true, detail: error }));
}

/** What a project holds that has gone, or is still to come; throws any other failure. */
export function unlessUnknown(error) {
	if (error.status !== 404) throw error;
	return { tasks: [], total: 0 };
}

export class View extends HTMLElement {
	#undo = [];
	#loading = {};
	#failed = false;
	#retryIn = FIRST_RETRY;
	#retrying = 0;
	#retry = renewal(() => this.#failed && this.reload(), 0);

	constructor() {
		super();
		this.addEventListener("renew", () => this.reload());
		this.addEventListener("failed", (event) => this.#settle(/** @type {CustomEvent} */ (event).detail));
	}

	connectedCallback() {
		this.setAttribute("aria-busy", "true");
		this.render();
		this.#undo.push(store.subscribe((events, isNews) => (events ? this.update(events, isNews) : this.reset())));
		this.#undo.push(store.whenBack(() => this.#retry()));
		this.#undo.push(onTick(() => this.tick()));
		this.reload();
	}

	disconnectedCallback() {
		clearTimeout(this.#retrying);
		for (const undo of this.#undo) undo();
		this.#undo = [];
	}

	/** Build the parts that stay; called once, before the first data. */
	render() {}

	/** Read the snapshot; throws what the API throws. */
	async load() {}

	/** Events have arrived; the store has applied them. `isNews`: see there. */
	update(_events, _isNews) {}

	/** The store was emptied. */
	reset() {
		this.reload();
	}

	/** A second has passed. */
	tick() {}

	async reload() {
		if (!this.isConnected) return;
		clearTimeout(this.#retrying);
		const mine = (this.#loading = {});
		/** @type {any} */
		let failure = null;
		try {
			await this.load();
		} catch (error) {
			failure = error;
		}
		if (mine !== this.#loading || !this.isConnected) return;
		this.#settle(failure);
		this.setAttribute("aria-busy", "false");
	}

	/** Tell what failed, if anything did, and try again by ourselves what may work later. */
	#settle(failure) {
		clearTimeout(this.#retrying);
		this.problem(failure);
		this.#failed = Boolean(failure) && mayPass(failure);
		if (!this.#failed) this.#retryIn = FIRST_RETRY;
		else {
			this.#retrying = setTimeout(this.#retry, this.#retryIn * (1 + Math.random() / 4));
			this.#retryIn = Math.min(LAST_RETRY, this.#retryIn * 2);
		}
	}

	/** What was read before stays, and so does a problem that is still the same: it is told once. */
	problem(error) {
		const told = this.querySelector(":scope > .problem");
		const problem = error && error.status !== 401 ? problemWith(error, () => this.reload()) : null;
		if (problem && told?.textContent === problem.textContent) return;
		told?.remove();
		if (problem) this.append(problem);
	}
}

/** What went wrong with a request, and a button to try it again. */
export function problemWith(error, retry) {
	return h("div.problem", { role: "alert" },
		h("p", error.status ? error.message : t("problem.unreachable"), mayPass(error) && ` ${t("problem.passes")}`),
		h("button.button", { type: "button", onclick: retry }, t("problem.retry")));
}
