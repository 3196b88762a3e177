// @ts-check
// Small marks of a task: its status by shape, colour and word; its progress; and times, by
// <time-shown at="…" as="ago|elapsed|clock|full">: local, kept fresh, UTC on hover.
import { ago, clockTime, duration, fullTime, h, icon, t, text } from "../lib/index.js";
import { isBlocked, isOverdue, isWaiting, onTick, serverNow } from "../data/index.js";

export function status(name) {
	return h(`span.status.status-${name}`, icon(name), h("span.status-word", t(`status.${name}`)));
}

// An end that is news stands out, as what went well does at no other time.
const NEWS_MS = 6000;

/**
 * Replace `element`'s status only if it changed: an icon in motion goes on.
 * @param {HTMLElement} element
 * @param {string} name
 * @param {string | null} [endedAt]
 */
export function showStatus(element, name, endedAt) {
	if (element.dataset.status === name) return;
	element.dataset.status = name;
	const shown = status(name);
	shown.classList.toggle("is-news", Boolean(endedAt) && serverNow() - Date.parse(endedAt ?? "") < NEWS_MS);
	element.replaceChildren(shown);
}

/**
 * What else there is to note of a task, a word or two each.
 * @param {import("../data/store.js").Task} task
 */
export function notesOf(task) {
	const open = (isWaiting(task) && task.requests?.length) || 0;
	return [
		open > 1 && t("note.requests", { count: open }),
		isOverdue(task) && t("note.overdue"),
		isBlocked(task) && t("note.blocked"),
		task.attempt > 1 && t("task.attempt", { n: task.attempt }),
	].filter(Boolean);
}

export function progressBar() {
	const fill = h("span.bar-fill");
	const element = h("span.bar", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
	return {
		element,
		update(percent, label) {
			if (element.getAttribute("aria-label") === label) return;
			element.setAttribute("aria-valuenow", Math.round(percent));
			element.setAttribute("aria-label", label);
			fill.style.transform = `scaleX(${percent / 100})`;
		},
	};
}

class TimeShown extends HTMLElement {
	static observedAttributes = ["at", "as"];
	#stop = () => {};

	connectedCallback() {
		this.#stop = onTick(() => this.closest("[data-unseen]") || this.#show());
		this.#show();
	}

	disconnectedCallback() {
		this.#stop();
	}

	attributeChangedCallback() {
		if (this.isConnected) this.#show();
	}

	#show() {
		const at = this.getAttribute("at") ?? "";
		const ms = Date.parse(at);
		if (Number.isNaN(ms)) return text(this, "");
		const utc = `${at.replace("T", " ").replace(/\.\d+Z$|Z$/, "")} UTC`;
		if (this.getAttribute("title") !== utc) this.setAttribute("title", utc);
		const now = serverNow();
		const as = this.getAttribute("as");
		if (as === "elapsed") text(this, duration(Math.floor((now - ms) / 1000)));
		else if (as === "clock") text(this, clockTime(ms, now));
		else if (as === "full") text(this, fullTime(ms));
		else text(this, ago(now - ms));
	}
}

customElements.define("time-shown", TimeShown);

export function timeShown(at, as = "ago") {
	return h("time-shown", { at, as });
}
