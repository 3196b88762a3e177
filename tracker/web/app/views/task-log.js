// @ts-check
// <task-log>: everything that a task has reported, however much, of which only what is in sight is in
// the page. It follows its end until its reader scrolls up or selects, and never moves what is read.
import { h, icon, number, t, text, throttle } from "../lib/index.js";
import { copyButton, problemWith } from "../parts/index.js";
import { attemptRow, eventRow, wordsOf } from "./task-history.js";
import { asJsonLines, asText, save } from "./task-log-text.js";
import { VirtualRows } from "../parts/virtual-rows.js";

// As many come with a task, if it has as many.
const AS_THEY_COME = 1000;
const READ_OLDER_WITHIN = 20; // rows of the oldest that is known

/** @typedef {import("../data/store.js").LogEvent} LogEvent */
/** @typedef {{key: string | number, event?: LogEvent, attempt?: number}} Item A line: a report, or where an attempt begins. */

class TaskLog extends HTMLElement {
	#events;
	#id;
	/** @type {Item[]} */
	#items = [];
	#rows;
	#older = h("p.quiet.log-older", { role: "status" });
	#problem = h("div");
	#count = h("span.quiet", { role: "status" });
	#end = h("button.button.log-end", { type: "button", hidden: true, onclick: () => this.#rows.toEnd() });
	#find = /** @type {HTMLInputElement} */ (h("input", { type: "search", placeholder: t("log.find"), "aria-label": t("log.find") }));
	#step = ["left", "right"].map((way) => h("button.button.button-icon", {
		type: "button", hidden: true, title: t(`log.${way}`), "aria-label": t(`log.${way}`), onclick: () => this.#go(way === "left" ? -1 : 1),
	}, icon(way)));
	#seen = 0;
	/** @type {number[]} Places of the lines that hold what is looked for. */
	#found = [];
	/** @type {Item["key"] | null} Of the one of them that is shown. */
	#current = null;
	#wanted = "";
	#isSeeking = false;
	/** @type {number | undefined} */
	#oldest = 0;
	#isWhole = false;
	#isReading = false;
	#lookSoon = throttle(() => this.#look(), 250);

	/**
	 * @param {import("../data/index.js").TaskEvents} events
	 * @param {string} id The task's, which names what is saved.
	 */
	constructor(events, id) {
		super();
		this.#events = events;
		this.#id = id;
		this.#rows = new VirtualRows(t("task.tab.log"), (index) => this.#make(this.#items[index]), () => this.#onMove());
	}

	connectedCallback() {
		if (this.firstChild) return;
		this.#find.addEventListener("input", this.#lookSoon);
		this.#find.addEventListener("keydown", (event) => {
			if (event.key === "Enter") this.#go(event.shiftKey ? -1 : 1);
		});
		const whole = async () => (await this.#readAll(), this.#events.all);
		const saved = (make, type, ending) => async () => save(make(await whole()), type, `${this.#id}.${ending}`);
		const tool = (label, action) => h("button.button", { type: "button", onclick: () => action().catch((e) => this.#fail(e)) }, label);
		this.append(
			h("div.log-tools",
				h("div.log-find", this.#find, this.#step, this.#count),
				h("div.log-takes",
					copyButton(t("log.copy"), async () => asText(await whole()).join("")),
					tool(t("log.text"), saved(asText, "text/plain", "txt")),
					tool(t("log.json"), saved(asJsonLines, "application/x-ndjson", "jsonl")))),
			this.#older, this.#problem,
			h("div.log-frame", this.#rows.element, this.#end));
		this.#rows.start();
	}

	/** Whether its tab is chosen. */
	set isShown(isShown) {
		if (isShown) this.#rows.restore();
		else this.#rows.hide();
	}

	/** What is at its top, to come back to; null: it follows its end. */
	get place() {
		return this.#rows.place;
	}

	/** @param {Item["key"]} place As it was given. */
	async comeBackTo(place) {
		const find = () => this.#items.findIndex(({ key }) => key === place);
		if (find() < 0) await this.#readAll(() => find() < 0);
		const index = find();
		if (index >= 0) this.#rows.to(index, "start");
	}

	/** There are other events than before. */
	update() {
		const { all, isWhole } = this.#events;
		const last = this.#items.at(-1)?.event;
		const isAdded = last && this.#oldest === all[0]?.id && this.#isWhole === isWhole;
		const known = isAdded ? all.findLastIndex(({ id }) => id === last.id) : -1;
		if (known < 0) this.#items = [];
		// Where the oldest attempt that is known began is not known before all is.
		let attempt = known < 0 ? (isWhole ? null : all[0]?.data.attempt) : last?.data.attempt;
		for (const event of all.slice(known + 1)) {
			if (event.data.attempt !== attempt) {
				attempt = event.data.attempt;
				this.#items.push({ key: `attempt ${event.id}`, attempt });
			}
			this.#items.push({ key: event.id, event });
		}
		this.#oldest = all[0]?.id;
		this.#isWhole = isWhole;
		this.#rows.setKeys(this.#items.map(({ key }) => key));
		this.#look();
		if (all.length && all.length < AS_THEY_COME) this.#readOlder(); // to know that these are all
	}

	/** @param {Item} item */
	#make(item) {
		const row = item.event ? eventRow(item.event) : attemptRow(/** @type {number} */ (item.attempt));
		row.classList.toggle("is-found", Boolean(this.#wanted) && this.#holds(item));
		row.classList.toggle("is-current", item.key === this.#current);
		return row;
	}

	#onMove() {
		const newest = this.#events.all.at(-1)?.id ?? 0;
		const { atEnd, above } = this.#rows;
		if (atEnd) this.#seen = newest;
		const { all } = this.#events;
		const news = newest > this.#seen ? all.length - 1 - all.findLastIndex(({ id }) => id <= this.#seen) : 0;
		this.#end.hidden = atEnd;
		text(this.#end, news ? t("log.news", { count: news }) : t("log.end"));
		if (above !== null && above < READ_OLDER_WITHIN) this.#readOlder();
	}

	async #readOlder() {
		if (this.#isReading || this.#events.isWhole || this.#problem.firstChild || !this.#events.all.length) return;
		await this.#reading(() => this.#events.readOlder());
	}

	#readAll(isWanted = () => true) {
		return this.#reading(() => this.#events.readAll(() => (this.update(), this.#tellReading()), isWanted));
	}

	async #reading(read) {
		this.#isReading = true;
		this.#tellReading();
		try {
			await read();
			this.#problem.replaceChildren();
		} catch (error) {
			this.#fail(error);
			return;
		} finally {
			this.#older.textContent = "";
			this.#isReading = false;
		}
		this.update();
	}

	#tellReading() {
		text(this.#older, t("log.reading", { count: this.#events.all.length }));
	}

	#fail(error) {
		this.#problem.replaceChildren(problemWith(error, () => (this.#problem.replaceChildren(), this.#readOlder())));
	}

	/** @param {Item} item */
	#holds({ event }) {
		return Boolean(event && wordsOf(event).toLowerCase().includes(this.#wanted));
	}

	/** Look through all that is known for what is typed, and for something new through all there is. */
	#look() {
		const wanted = this.#find.value.trim().toLowerCase();
		const isNew = wanted !== this.#wanted;
		this.#wanted = wanted;
		this.#found = wanted ? this.#items.flatMap((item, index) => (this.#holds(item) ? [index] : [])) : [];
		if (isNew) {
			this.#current = null;
			this.#isSeeking = Boolean(wanted);
			for (const button of this.#step) button.hidden = !wanted;
			this.#rows.refresh();
			if (wanted) this.#readAll(() => this.#wanted === wanted);
		}
		if (this.#isSeeking) this.#go(-1); // to the newest, as soon as there is one
		this.#tell();
	}

	#tell() {
		const { all, isWhole } = this.#events;
		const place = this.#found.indexOf(this.#placeOf(-1)) + 1;
		text(this.#count, this.#wanted
			? t("log.found", { place: number(place), count: this.#found.length })
			: t(isWhole ? "log.count" : "log.newest", { count: all.length }));
	}

	/** Where the one that is shown stands; `otherwise` if none is. */
	#placeOf(otherwise) {
		const at = this.#current === null ? -1 : this.#items.findLastIndex(({ key }) => key === this.#current);
		return at < 0 ? otherwise : at;
	}

	/** To the next, or the one before, of those that were found. */
	#go(step) {
		if (!this.#found.length) return;
		this.#isSeeking = false;
		const at = this.#placeOf(this.#items.length);
		const next = step < 0 ? this.#found.findLast((index) => index < at) : this.#found.find((index) => index > at);
		const index = next ?? (step < 0 ? this.#found.at(-1) : this.#found[0]);
		this.#current = this.#items[/** @type {number} */ (index)].key;
		this.#rows.to(index);
		this.#rows.refresh();
		this.#tell();
	}
}

customElements.define("task-log", TaskLog);

/** @param {ConstructorParameters<typeof TaskLog>} given */
export function taskLog(...given) {
	return new TaskLog(...given);
}
