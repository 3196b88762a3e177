// @ts-check
// Events: the live tail of the log, newest first, with filters and a pause.
import { fill, h, icon, isolate, paths, setQuery, t, text } from "../lib/index.js";
import { api, store } from "../data/index.js";
import { cell, emptyStart, timeShown, View } from "../parts/index.js";
import { eventSummary, iconOf } from "./task-history.js";

const FIRST_PAGE = 500;
const MAX_EVENTS = 5000;
const TYPES = ["task_started", "task_status_updated", "task_finished", "task_error", "task_silent", "task_acknowledged", "task_snoozed", "task_deleted", "project_deleted"];

class EventsView extends View {
	#query;
	#all = [];
	#shown = [];
	#paused = false;
	#list = h("virtual-list", { role: "rowgroup" });
	#count = h("span.quiet", { "aria-live": "off" });
	#pause = h("button.button", { type: "button", "aria-pressed": "false" });

	constructor(_args, query) {
		super();
		this.#query = query;
		this.classList.add("view-fixed");
	}

	render() {
		this.#list.rowHeight = matchMedia("(max-width: 760px)").matches ? 60 : 36;
		this.#list.makeRow = () => new EventRow();
		this.#list.showRow = (row, index) => row.show(this.#shown[this.#shown.length - 1 - index]);
		this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
		this.#showPause();
		this.append(
			h("header.heading", h("h1", { tabindex: "-1" }, t("nav.events")), this.#count),
			h("div.toolbar", this.#form(), this.#pause),
			h("div.table.events-table", { role: "table", "aria-label": t("nav.events") }, this.#list));
	}

	async load() {
		const { events, last_id: last } = await api.events({ newest: FIRST_PAGE });
		if (!last) return this.append(await emptyStart());
		this.#add(events);
	}

	update(events) {
		this.querySelector(":scope > .empty")?.remove();
		this.#add(events);
	}

	reset() {
		this.#all = [];
		this.reload();
	}

	#add(events) {
		const last = this.#all.at(-1)?.id ?? 0;
		if (events.every(({ id }) => id > last)) this.#all.push(...events);
		else {
			const byId = new Map([...this.#all, ...events].map((event) => [event.id, event]));
			this.#all = [...byId.values()].sort((a, b) => a.id - b.id);
		}
		if (this.#all.length > MAX_EVENTS * 1.2) this.#all = this.#all.slice(-MAX_EVENTS);
		if (this.#paused) this.#showPause();
		else this.#filter();
	}

	#filter() {
		const { q, type } = Object.fromEntries(this.#query);
		const words = (q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
		this.#shown = this.#all.filter((event) => {
			const { data } = event;
			if (type && event.type !== type) return false;
			if (!words.length) return true;
			const text = [data.project, data.title, data.agent, data.task_id, eventSummary(event)].join("\n").toLowerCase();
			return words.every((word) => text.includes(word));
		});
		text(this.#count, t("events.count", { count: this.#shown.length }));
		this.#list.count = this.#shown.length;
	}

	#setPaused(paused) {
		this.#paused = paused;
		this.#pausedAt = this.#all.at(-1)?.id ?? 0;
		this.#showPause();
		if (!paused) this.#filter();
	}

	#pausedAt = 0;

	#showPause() {
		const waiting = this.#paused ? this.#all.filter(({ id }) => id > this.#pausedAt).length : 0;
		this.#pause.setAttribute("aria-pressed", this.#paused);
		fill(this.#pause, icon(this.#paused ? "play" : "pause"),
			this.#paused ? t("events.resume", { count: waiting }) : t("events.pause"));
	}

	#form() {
		const query = this.#query;
		const form = h("form.filters", { role: "search", "aria-label": t("filter.title") },
			h("input", { name: "q", type: "search", value: query.get("q") ?? "", placeholder: t("events.q"), "aria-label": t("events.q") }),
			h("select", { name: "type", "aria-label": t("events.type") },
				h("option", { value: "" }, t("events.anyType")),
				TYPES.map((type) => h("option", { value: type, selected: query.get("type") === type }, t(`event.${type}`)))));
		form.addEventListener("submit", (event) => event.preventDefault());
		form.addEventListener("input", () => {
			/** @type {any} */
			const values = Object.fromEntries(new FormData(form));
			setQuery(values);
			this.#query = new URLSearchParams(values);
			this.#filter();
		});
		return form;
	}
}

class EventRow extends HTMLElement {
	#time = timeShown("", "clock");
	#icon = cell("event-icon");
	#kind = cell("event-kind");
	#link = h("a.row-link", { "data-row": "" }, isolate(""));
	#project = isolate("");
	#words = isolate("");
	#id = null;

	connectedCallback() {
		if (this.firstChild) return;
		this.className = "event-row";
		this.setAttribute("role", "row");
		this.append(cell("event-time", this.#time), this.#icon, this.#kind, cell("event-project", this.#project),
			cell("event-task", this.#link), cell("event-words", this.#words));
	}

	show(event) {
		if (this.#id === event.id) return;
		this.#id = event.id;
		const { data } = event;
		this.dataset.status = iconOf(event);
		this.#time.setAttribute("at", event.timestamp);
		this.#icon.replaceChildren(icon(iconOf(event)));
		text(this.#kind, t(`event.${event.type}`));
		this.#link.setAttribute("href", data.task_id ? paths.task(data.project, data.task_id) : paths.project(data.project));
		text(this.#link.firstChild, data.title ?? data.project);
		text(this.#project, data.project);
		text(this.#words, eventSummary(event) || (event.type === "task_status_updated" ? `${data.progress} %` : ""));
	}
}

customElements.define("event-row", EventRow);
customElements.define("events-view", EventsView);
