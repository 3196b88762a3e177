// @ts-check
// Tasks over time, of a project or of all: a lane for each agent, with a bar for each task or, where these
// are too many, with how many ran; zoom and pan.
import { clockTime, day, duration, fill, h, icon, isolate, lanes, number, paths, t, text, throttle } from "../lib/index.js";
import { keyOf, serverNow, shownStatus, TimelineData } from "../data/index.js";
import { failed, laneBins, showBins } from "../parts/index.js";

const AT_FIRST = 6 * 3_600_000;
const SHORTEST = 10_000;
// Pixels: the narrowest bar, and from one to the next, so that each can be hit (WCAG 2.2, 2.5.8).
const BAR_PX = 4;
const APART_PX = 20;
// From one mark of the axis to the next, and from the last to the end.
const TICK_PX = 80;
const LAST_TICK_PX = 48;
const LONGEST = 400 * 86_400_000;
const WEEK = 604_800_000;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800].map((s) => s * 1000);

class TaskTimeline extends HTMLElement {
	/** Empty: of all projects. */
	project = "";
	/** @type {Record<string, string>} */
	filters = {};
	#data = new TimelineData("", {});
	#from = 0;
	#to = 0;
	// A window that has the present in it moves along with it.
	#follows = true;
	#shownAt = 0;
	#axis = h("div.timeline-axis", { "aria-hidden": "true" });
	#lanes = h("div.timeline-lanes", { role: "list" });
	#none = h("p.empty-note", t("project.none"));
	#range = h("span.timeline-range");
	#told = h("p.timeline-told", { role: "status" });
	#readSoon = throttle(() => this.#read().catch((error) => failed(this, error)), 300);
	#drawSoon = throttle(() => this.#draw(), 50);
	#bars = new Map();
	/** @type {{of: unknown, lanes: Map<any, any>}} */
	#bins = { of: null, lanes: new Map() };

	connectedCallback() {
		this.#data = new TimelineData(this.project, this.filters);
		this.#none.hidden = true;
		const tool = (name, label, action) =>
			h("button.button.button-icon", { type: "button", title: label, "aria-label": label, onclick: action }, icon(name));
		this.append(
			h("div.timeline-tools",
				tool("minus", t("timeline.zoomOut"), () => this.#zoom(1.6)),
				tool("plus", t("timeline.zoomIn"), () => this.#zoom(1 / 1.6)),
				tool("left", t("timeline.earlier"), () => this.#pan(-0.3)),
				tool("right", t("timeline.later"), () => this.#pan(0.3)),
				h("button.button", { type: "button", onclick: () => this.#fitOrTell() }, t("timeline.fit")),
				this.#range),
			h("div.timeline-frame", { tabindex: "0", role: "group", "aria-label": t("timeline.label") },
				this.#axis, this.#lanes),
			this.#none, this.#told,
		);
		this.#listen(this.querySelector(".timeline-frame"));
	}

	async read() {
		if (this.#to) return this.#read();
		await this.#fit(AT_FIRST);
		this.#trim();
	}

	/** Begin where the first of what is shown did. */
	#trim() {
		const starts = (this.#data.bars(this.#from, this.#to) ?? []).map(({ start }) => start);
		const begin = Math.min(...starts, serverNow() - 60_000);
		const margin = (this.#to - begin) * 0.02;
		if (!starts.length || begin - margin <= this.#from) return;
		this.#window(begin - margin, this.#to);
		this.#draw();
	}

	async #read() {
		await this.#data.read(this.#from, this.#to);
		this.#draw();
	}

	/** What is shown stays until the next read. */
	forget() {}

	choose(filters) {
		this.filters = filters;
		this.#data = new TimelineData(this.project, filters);
	}

	/** Of what tasks say bars show nothing. */
	update(_events, isNews) {
		if (isNews) this.#drawSoon();
	}

	tick() {
		const passed = serverNow() - this.#shownAt;
		if (this.#follows && this.#to) this.#show(this.#from + passed, this.#to + passed);
		else this.#draw();
	}

	/** Show all, or the last part of it. Throws what the API throws. */
	async #fit(longest = Infinity) {
		const now = serverNow();
		const ends = (await this.#data.ends()) ?? { start: now, end: now };
		const end = Math.max(ends.end, ends.start + 60_000);
		const start = Math.max(Math.min(ends.start, now - 60_000), end - longest);
		this.#window(start - (end - start) * 0.02, end + (end - start) * 0.02);
		await this.#read();
	}

	/** What fails is told. */
	#show(from, to) {
		this.#window(from, to);
		if (!this.#data.covers(this.#from, this.#to)) this.#readSoon();
		this.#draw();
	}

	#fitOrTell() {
		this.#fit().catch((error) => failed(this, error));
	}

	#window(from, to) {
		const span = Math.min(LONGEST, Math.max(SHORTEST, to - from));
		const middle = (from + to) / 2;
		[this.#from, this.#to] = [middle - span / 2, middle + span / 2];
		this.#shownAt = serverNow();
		this.#follows = this.#from < this.#shownAt && this.#shownAt < this.#to;
	}

	#zoom(factor, at = 0.5) {
		const span = this.#to - this.#from;
		const point = this.#from + span * at;
		this.#show(point - span * factor * at, point + span * factor * (1 - at));
	}

	#pan(share) {
		const by = (this.#to - this.#from) * share;
		this.#show(this.#from + by, this.#to + by);
	}

	#listen(frame) {
		const share = (event) => {
			const box = this.#axis.getBoundingClientRect();
			return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
		};
		frame.addEventListener("wheel", (event) => {
			const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
			if (!event.ctrlKey && !event.metaKey && !sideways) return; // the page scrolls
			event.preventDefault();
			if (sideways) this.#pan(event.deltaX / this.#axis.clientWidth);
			else this.#zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, share(event));
		}, { passive: false });
		frame.addEventListener("keydown", (event) => {
			const { key } = event;
			if (event.ctrlKey || event.metaKey || event.altKey) return;
			if (key === "+" || key === "=") this.#zoom(1 / 1.6);
			else if (key === "-") this.#zoom(1.6);
			else if (key === "ArrowLeft" || key === "ArrowRight") this.#pan(key === "ArrowLeft" ? -0.2 : 0.2);
			else if (key === "0") this.#fitOrTell();
			else return;
			event.preventDefault();
		});
		/** @type {{x: number, from: number, to: number, moved: boolean} | null} */
		let drag = null;
		frame.addEventListener("pointerdown", (event) => {
			if (event.button === 0) drag = { x: event.clientX, from: this.#from, to: this.#to, moved: false };
		});
		frame.addEventListener("pointermove", (event) => {
			if (!drag) return;
			const by = event.clientX - drag.x;
			if (!drag.moved && Math.abs(by) < 4) return;
			if (!drag.moved) frame.setPointerCapture(event.pointerId);
			drag.moved = true;
			const time = (by / this.#axis.clientWidth) * (drag.to - drag.from);
			this.#show(drag.from - time, drag.to - time);
		});
		const release = () => setTimeout(() => (drag = null));
		frame.addEventListener("pointerup", release);
		frame.addEventListener("pointercancel", release);
		frame.addEventListener("click", (event) => drag?.moved && event.preventDefault(), true);
		frame.addEventListener("dragstart", (event) => event.preventDefault());
	}

	#draw() {
		if (!this.isConnected || !this.#to) return;
		this.#drawAxis();
		if (!this.#data.isRead) return;
		const bars = this.#data.bars(this.#from, this.#to);
		const drawn = bars ? this.#drawBars(bars) : this.#drawBins();
		fill(this.#lanes, drawn.map(([name, track]) => h("div.lane", { role: "listitem" }, h("div.lane-name", name), track)));
		this.#none.hidden = drawn.length > 0;
		const { total, leftOut } = this.#data.counts;
		text(this.#told, [
			!bars && t("timeline.many", { count: total }), leftOut > 0 && t("timeline.leftOut", { count: leftOut }),
		].filter(Boolean).join(" "));
	}

	#drawBins() {
		const { begin, width, tracks } = this.#data.bins;
		if (this.#bins.of !== tracks[0]?.running) this.#bins = { of: tracks[0]?.running, lanes: new Map() };
		const [first, last] = [(this.#from - begin) / width, (this.#to - begin) / width];
		const isInSight = (counts) => counts.slice(Math.max(0, Math.floor(first)), Math.ceil(last)).some((count) => count > 0);
		const seen = tracks.filter(({ running, completed, failures }) => [running, completed, failures].some(isInSight));
		const most = Math.max(1, ...tracks.flatMap(({ running }) => running));
		return seen.map((track) => {
			const { agent, agents, total, failed: failures } = track;
			const counts = t("timeline.counts", { count: total, failed: number(failures) });
			const lane = this.#bins.lanes.get(agent) ?? laneBins(track, most, counts);
			this.#bins.lanes.set(agent, lane);
			showBins(lane, first, last - first);
			return [[agent === null ? t("timeline.others", { count: agents }) : isolate(agent), h("p.lane-counts", counts)], h("div.lane-track", lane)];
		});
	}

	#drawBars(bars) {
		const span = this.#to - this.#from;
		const used = new Map();
		const pixel = span / (this.#axis.clientWidth || 1000); // asked once: asked between writes it is laid out anew
		const drawn = lanes(bars, BAR_PX * pixel, APART_PX * pixel).map(({ agent, rows, placed }) => {
			const track = h("div.lane-track", placed.map((one) => {
				const bar = this.#bars.get(one.bar.key) ?? h("a.lane-bar", isolate(""));
				used.set(one.bar.key, bar);
				this.#place(bar, one, span, pixel);
				return bar;
			}));
			track.style.height = `${rows * 1.75}rem`;
			return [isolate(agent), track];
		});
		this.#bars = used;
		return drawn;
	}

	/** @param {any} element @param {any} placed @param {number} span @param {number} pixel So long it is. */
	#place(element, placed, span, pixel) {
		const { bar: { task, agent, start, end }, row, depth } = placed;
		const shown = shownStatus(task);
		element.dataset.status = shown;
		element.classList.toggle("is-below", depth > 0);
		element.setAttribute("href", paths.task(task.project, task.task_id));
		const words = [
			task.title, depth > 0 && agent, !this.project && task.project, t(`status.${shown}`), duration(Math.round((end - start) / 1000)),
		].filter(Boolean).join(" · ");
		element.title = words;
		element.setAttribute("aria-label", words);
		text(element.firstChild, task.title);
		const left = Math.max(-1, ((start - this.#from) / span) * 100);
		element.style.left = `${left}%`;
		const width = `${Math.min(101, ((end - this.#from) / span) * 100) - left}%`;
		element.style.width = depth > 0 ? `calc(${width} - var(--s2))` : width; // style/views.css moves it to the right
		element.classList.toggle("is-narrow", (end - start) / pixel < 48);
		element.style.top = `${row * 1.75}rem`;
	}

	#drawAxis() {
		const span = this.#to - this.#from;
		const room = Math.max(3, Math.floor(this.#axis.clientWidth / TICK_PX));
		const step = STEPS.find((s) => span / s <= room) ?? WEEK * Math.ceil(span / WEEK / room);
		const zone = new Date(this.#to).getTimezoneOffset() * 60_000;
		const last = this.#to - (span * LAST_TICK_PX) / (this.#axis.clientWidth || 1000);
		const ticks = [];
		for (let at = Math.ceil((this.#from - zone) / step) * step + zone; at < last; at += step) {
			const tick = h("span.timeline-tick", step >= 86_400_000 ? day(at) : clockTime(at, at).replace(/:00$/, ""));
			tick.style.left = `${((at - this.#from) / span) * 100}%`;
			ticks.push(tick);
		}
		const now = serverNow();
		if (now > this.#from && now < this.#to) {
			const mark = h("span.timeline-now");
			mark.style.left = `${((now - this.#from) / span) * 100}%`;
			ticks.push(mark);
		}
		fill(this.#axis, ticks);
		fill(this.#range, `${clockTime(this.#from, now)} – ${clockTime(this.#to, now)}`);
	}
}

customElements.define("task-timeline", TaskTimeline);
