// @ts-check
// Messages that come over a corner of the page and leave by themselves, but not while the pointer or
// the focus is on them. Each leads to its task; what there is no room for is counted.
import { fill, h, icon, isolate, paths, t, text } from "../lib/index.js";
import { idOf } from "../data/index.js";

/** @typedef {import("../data/alerts.js").Alert} Alert */

const MOST = 3;
const STAY_MS = 8000;
const SHAPES = { failed: "failed", attention: "waiting", silent: "silent", turn: "yours" };

export class Toasts {
	/** @type {{alert: Alert, element: HTMLElement}[]} Oldest first. */
	#shown = [];
	#beyond = 0;
	#timer = 0;
	#isHeld = false;
	/** Where the focus was before it came here. @type {HTMLElement | null} */
	#before = null;
	#list = h("div.toast-list", { role: "status", "aria-atomic": "false" });
	#more = h("a.toast.toast-more", { href: paths.now(), onclick: () => this.clear() });
	element = h("div.toasts", this.#list);

	constructor() {
		this.element.addEventListener("pointerenter", () => this.#hold());
		this.element.addEventListener("pointerleave", () => this.#release());
		this.element.addEventListener("focusin", ({ relatedTarget: from }) => {
			if (from instanceof HTMLElement && !this.element.contains(from)) this.#before = from;
			this.#hold();
		});
		this.element.addEventListener("focusout", () => queueMicrotask(() => this.#release()));
		document.addEventListener("keydown", (event) => {
			if (event.key !== "Escape" || event.defaultPrevented || !this.#shown.length) return;
			// A dialog that it has just closed was asked before.
			if (/** @type {HTMLElement} */ (event.target).closest("dialog") || document.querySelector("dialog[open]")) return;
			const one = this.#shown.find(({ element }) => element.contains(document.activeElement));
			if (one) this.#remove(one);
			else this.clear();
		});
	}

	/** @param {Alert[]} alerts */
	add(alerts) {
		const again = new Set(alerts.map(idOf));
		/** @type {{alert: Alert, element?: HTMLElement}[]} */
		const all = [...this.#shown.filter(({ alert }) => !again.has(idOf(alert))), ...alerts.map((alert) => ({ alert }))];
		// Nothing goes from under the pointer or the focus.
		const kept = this.#isHeld ? all.slice(0, MOST) : all.slice(-MOST);
		this.#beyond += all.length - kept.length;
		this.#shown = kept.map(({ alert, element = this.#toast(alert) }) => ({ alert, element }));
		this.#show();
	}

	/** Keep only those of which `isSo` says that they still are. */
	keep(isSo) {
		const kept = this.#shown.filter(({ alert, element }) => isSo(alert) || element.contains(document.activeElement));
		if (kept.length === this.#shown.length) return;
		this.#shown = kept;
		this.#show();
	}

	clear() {
		this.#shown = [];
		this.#show();
	}

	#hold() {
		this.#isHeld = true;
		clearTimeout(this.#timer);
	}

	#release() {
		if (this.element.matches(":hover, :focus-within")) return;
		this.#isHeld = false;
		clearTimeout(this.#timer);
		// All together: the last to come is seen as long as it should be.
		if (this.#shown.length) this.#timer = setTimeout(() => this.clear(), STAY_MS);
	}

	#remove(one) {
		const at = this.#shown.indexOf(one);
		this.#shown.splice(at, 1);
		const next = this.#shown[Math.min(at, this.#shown.length - 1)];
		// Who works by the pointer is not at the next one.
		if (one.element.querySelector(":focus-visible")) next?.element.querySelector("a")?.focus();
		this.#show();
	}

	#show() {
		const hadFocus = this.element.contains(document.activeElement);
		if (!this.#shown.length) this.#beyond = 0;
		text(this.#more, t("alert.more", { count: this.#beyond }));
		this.#list.setAttribute("aria-label", t("alert.title"));
		fill(this.#list, this.#shown.map(({ element }) => element), this.#beyond > 0 && this.#more);
		if (hadFocus && !this.element.contains(document.activeElement)) {
			(this.#before?.isConnected ? this.#before : document.getElementById("main"))?.focus();
		}
		this.#release();
	}

	/** @param {Alert} alert */
	#toast({ kind, task, words }) {
		const shape = SHAPES[kind];
		const element = h(`div.toast.status-${shape}`,
			icon(shape),
			h("div.toast-words",
				h("a", { href: paths.task(task.project, task.task_id), onclick: () => this.#removeOf(element) },
					isolate(t(`alert.${kind}`, { title: task.title }))),
				h("p.quiet.toast-of", isolate(task.project), " · ", isolate(task.agent)),
				words && h("p.toast-said", isolate(words))),
			h("button.button.button-icon", { type: "button", "aria-label": t("alert.dismiss"), title: t("alert.dismiss"),
				onclick: () => this.#removeOf(element) }, icon("close")));
		return element;
	}

	#removeOf(element) {
		const one = this.#shown.find((shown) => shown.element === element);
		if (one) this.#remove(one);
	}
}
