// @ts-check
// Events: the live tail of the log, newest first, with filters and a pause; older ones as one scrolls.
import { attribute, fill, h, icon, isolate, paths, setQuery, t, text } from "../lib/index.js";
import { api, areDeletionsOf, DELETIONS } from "../data/index.js";
import { cell, emptyStart, failed, timeShown, View } from "../parts/index.js";
import { eventSummary, iconOf } from "./task-history.js";

const PAGE = 500;
// Of what comes live; what somebody has scrolled to stays.
const MAX_EVENTS = 5000;
// Rows below the last one in sight that are to be there already.
const AHEAD = 100;
// How many events are looked at for words, unasked.
const LOOK_AT = 5000;
const TYPES = ["task_started", "task_status_updated", "task_finished", "task_error", "task_silent", "task_acknowledged", "task_snoozed", "task_deleted", "project_deleted"];

class EventsView extends View {
	#query;
	/** Of the kind that is wanted, oldest first, without a gap. */
	#all = [];
	#shown = [];
	/** Whether nothing is older than these. */
	#isWhole = false;
	/** So many are looked at for words. */
	#lookAt = LOOK_AT;
	#reading = false;
	#run = 0;
	#paused = false;
	#list = h("virtual-list", { role: "rowgroup" });
	#count = h("span.quiet", { "aria-live": "off" });
	#pause = h("button.button", { type: "button", "aria-pressed": "false" });
	#further = h("button.button", { type: "button", hidden: true }, t("events.further"));

	constructor(_args, query) {
		super();
		this.#query = query;
		this.classList.add("view-fixed");
	}

	render() {
		this.#list.rowHeight = matchMedia("(max-width: 760px)").matches ? 60 : 36;
		this.#list.makeRow = () => new EventRow();
		this.#list.showRow = (row, index) => row.show(this.#shown[this.#shown.length - 1 - index]);
		this.#list.onrange = (_first, last) => last > this.#shown.length - AHEAD && this.#readOlder();
		this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
		this.#further.addEventListener("click", () => {
			this.#lookAt = this.#all.length + LOOK_AT;
			this.#readOlder();
		});
		this.#showPause();
		this.append(
			h("header.heading", h("h1", { tabindex: "-1" }, t("nav.events")), this.#count),
			h("div.toolbar", this.#form(), this.#pause),
			h("div.table.events-table", { role: "table", "aria-label": t("nav.events") }, this.#list), this.#further);
	}

	async load() {
		const run = this.#run;
		const { events, last_id: last } = await api.events({ newest: PAGE, ...this.#kind });
		if (!last) return this.append(await emptyStart());
		if (run !== this.#run) return;
		if ((events[0]?.id ?? 0) > (this.#all.at(-1)?.id ?? 0)) this.#forget(); // there may be more between
		this.#add(events);
	}

	update(events) {
		this.querySelector(":scope > .empty")?.remove();
		const { type } = this.#kind;
		const deletions = events.filter((event) => DELETIONS.has(event.type));
		if (deletions.length) this.#all = this.#all.filter((event) => DELETIONS.has(event.type) || !areDeletionsOf(deletions, event.data));
		this.#add(type ? events.filter((event) => event.type === type) : events);
	}

	reset() {
		this.#forget();
		this.reload();
	}

	get #kind() {
		const type = this.#query.get("type");
		return type ? { type } : {};
	}

	#forget() {
		this.#run++;
		this.#all = [];
		this.#isWhole = false;
		this.#reading = false;
		this.#lookAt = LOOK_AT;
	}

	/** One page more, if somebody is about to see it, or words are looked for. */
	async #readOlder() {
		const oldest = this.#all[0]?.id;
		const isFar = this.#words.length > 0 && this.#all.length >= this.#lookAt;
		this.#further.hidden = !isFar || this.#isWhole;
		if (this.#reading || this.#isWhole || oldest === undefined || isFar) return;
		this.#reading = true;
		const run = this.#run;
		try {
			const { events } = await api.events({ newest: PAGE, before: oldest, ...this.#kind });
			if (run !== this.#run) return;
			this.#reading = false;
			// A page ends early where its events are large: only an empty one says that there are no more.
			if (events.length) this.#all = [...events, ...this.#all];
			else this.#isWhole = true;
			this.#filter();
		} catch (error) {
			if (run !== this.#run) return;
			this.#reading = false;
			failed(this, error);
		}
	}

	#add(events) {
		const last = this.#all.at(-1)?.id ?? 0;
		const first = events[0]?.id ?? 0;
		if (first > last) this.#all.push(...events);
		else {
			// Read again: between what is known and these nothing may be missing.
			const before = this.#all.filter(({ id }) => id < first);
			const newer = this.#all.filter(({ id }) => id > (events.at(-1)?.id ?? 0));
			this.#all = events.length ? [...before, ...events, ...newer] : this.#all;
		}
		if (this.#all.length > MAX_EVENTS * 1.2 && this.#list.atTop) {
			this.#all = this.#all.slice(-MAX_EVENTS);
			this.#isWhole = false;
		}
		if (this.#paused) this.#showPause();
		else this.#filter();
	}

	get #words() {
		return (this.#query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
	}

	/** Whoever reads further down keeps the rows that are in sight. */
	#filter() {
		const words = this.#words;
		const newest = this.#shown.at(-1)?.id ?? 0;
		this.#shown = !words.length ? [...this.#all] : this.#all.filter((event) => {
			const { data } = event;
			const text = [data.project, data.title, data.agent, data.task_id, eventSummary(event)].join("\n").toLowerCase();
			return words.every((word) => text.includes(word));
		});
		const { atTop } = this.#list;
		const added = newest ? this.#shown.length - 1 - this.#shown.findLastIndex(({ id }) => id <= newest) : 0;
		this.#list.count = this.#shown.length;
		text(this.#count, t(this.#isWhole ? "events.count" : "events.soFar", { count: this.#shown.length }));
		if (!atTop && added > 0) this.#list.scrollTop += added * this.#list.rowHeight;
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
			const { type } = this.#kind;
			this.#query = new URLSearchParams(values);
			this.#list.scrollTop = 0;
			if (this.#kind.type === type) return this.#filter();
			this.#forget();
			this.#filter();
			this.reload();
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
		const shape = iconOf(event);
		attribute(this.#time, "at", event.timestamp);
		if (this.dataset.status !== shape) this.#icon.replaceChildren(icon(shape));
		attribute(this, "data-status", shape);
		text(this.#kind, t(`event.${event.type}`));
		attribute(this.#link, "href", data.task_id ? paths.task(data.project, data.task_id) : paths.project(data.project));
		text(this.#link.firstChild, data.title ?? data.project);
		text(this.#project, data.project);
		text(this.#words, eventSummary(event) || (event.type === "task_status_updated" ? `${data.progress} %` : ""));
	}
}

customElements.define("event-row", EventRow);
customElements.define("events-view", EventsView);
