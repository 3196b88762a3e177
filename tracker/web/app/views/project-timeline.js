// @ts-check
// A project's tasks over time: a lane for each agent, a bar for each task, zoom and pan.
import { clockTime, day, duration, fill, h, icon, isolate, paths, t, throttle } from "../lib/index.js";
import { api, keyOf, serverNow, shownStatus, store } from "../data/index.js";
import { failed, unlessUnknown } from "../parts/index.js";

const PAGE = 500; // the most the API gives at once
const MOST = 2000;
const AT_FIRST = 6 * 3_600_000;
const SHORTEST = 10_000;
const LONGEST = 400 * 86_400_000;
const WEEK = 604_800_000;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800].map((s) => s * 1000);

class TaskTimeline extends HTMLElement {
	project = "";
	filters = {};
	#tasks = [];
	#complete = true;
	#isRead = false;
	#from = 0;
	#to = 0;
	// A window that has the present in it moves along with it.
	#follows = true;
	#shownAt = 0;
	#axis = h("div.timeline-axis", { "aria-hidden": "true" });
	#lanes = h("div.timeline-lanes", { role: "list" });
	#none = h("p.empty-note", t("project.none"));
	#range = h("span.timeline-range");
	#earlierSoon = throttle(() => this.#readEarlier(), 500);
	#drawSoon = throttle(() => this.#draw(), 50);
	#bars = new Map();

	connectedCallback() {
		this.#none.hidden = true;
		const tool = (name, label, action) =>
			h("button.button.button-icon", { type: "button", title: label, "aria-label": label, onclick: action }, icon(name));
		this.append(
			h("div.timeline-tools",
				tool("minus", t("timeline.zoomOut"), () => this.#zoom(1.6)),
				tool("plus", t("timeline.zoomIn"), () => this.#zoom(1 / 1.6)),
				tool("left", t("timeline.earlier"), () => this.#pan(-0.3)),
				tool("right", t("timeline.later"), () => this.#pan(0.3)),
				h("button.button", { type: "button", onclick: () => this.#fit() }, t("timeline.fit")),
					this.#range),
			h("div.timeline-frame", { tabindex: "0", role: "group", "aria-label": t("timeline.label") },
				this.#axis, this.#lanes),
			this.#none,
		);
		this.#listen(this.querySelector(".timeline-frame"));
	}

	/** The newest. */
	async read() {
		await this.#read([]);
		if (!this.#isRead) this.#fit(AT_FIRST);
		this.#isRead = true;
	}

	/** What is shown stays until the next read. */
	forget() {}

	async #readEarlier() {
		await this.#read(this.#tasks).catch((error) => failed(this, error));
	}

	async #read(known) {
		const query = { ...this.filters, limit: PAGE, offset: known.length };
		const { tasks } = await api.tasks(this.project, query).catch(unlessUnknown);
		const keys = tasks.map((task) => keyOf(store.merge({ ...task, project: this.project })));
		this.#tasks = [...new Set([...known, ...keys])];
		this.#complete = tasks.length < PAGE || this.#tasks.length >= MOST;
		this.#draw();
	}

	update() {
		this.#drawSoon();
	}

	tick() {
		const passed = serverNow() - this.#shownAt;
		if (this.#follows && this.#to) this.#show(this.#from + passed, this.#to + passed);
		else this.#draw();
	}

	#known() {
		return this.#tasks.map((key) => store.tasks.get(key)).filter((task) => task !== undefined).map((task) => ({
			task,
			start: Date.parse(task.started_at),
			end: task.finished_at ? Date.parse(task.finished_at) : serverNow(),
		}));
	}

	/** Show all, or the last part of it. */
	#fit(longest = Infinity) {
		const known = this.#known();
		const now = serverNow();
		const newest = Math.max(0, ...known.map(({ end }) => end)) || now;
		const oldest = Math.min(now - 60_000, ...known.map(({ start }) => start));
		const start = Math.max(oldest, newest - longest);
		const end = Math.max(start + 60_000, ...known.map(({ end }) => end));
		this.#show(start - (end - start) * 0.02, end + (end - start) * 0.02);
	}

	#show(from, to) {
		const span = Math.min(LONGEST, Math.max(SHORTEST, to - from));
		const middle = (from + to) / 2;
		[this.#from, this.#to] = [middle - span / 2, middle + span / 2];
		this.#shownAt = serverNow();
		this.#follows = this.#from < this.#shownAt && this.#shownAt < this.#to;
		this.#draw();
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
			else if (key === "0") this.#fit();
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
		const known = this.#known();
		this.#none.hidden = known.length > 0;
		this.#drawAxis();
		const oldest = Math.min(...known.map(({ start }) => start));
		if (this.#from < oldest && !this.#complete) this.#earlierSoon();
		const byAgent = new Map();
		for (const bar of known.sort((a, b) => a.start - b.start)) {
			if (bar.end < this.#from || bar.start > this.#to) continue;
			if (!byAgent.has(bar.task.agent)) byAgent.set(bar.task.agent, []);
			byAgent.get(bar.task.agent).push(bar);
		}
		const used = new Map();
		fill(this.#lanes, [...byAgent].sort(([a], [b]) => a.localeCompare(b)).map(([agent, bars]) =>
			h("div.lane", { role: "listitem" }, h("div.lane-name", isolate(agent)), this.#track(bars, used))));
		this.#bars = used;
	}

	/** Bars that overlap lie below one another: each takes the first row that is free by then. */
	#track(bars, used) {
		const span = this.#to - this.#from;
		const free = [];
		const track = h("div.lane-track");
		for (const { task, start, end } of bars) {
			let row = free.findIndex((until) => until <= start);
			if (row < 0) row = free.length;
			free[row] = Math.max(end, start + span * 0.008);
			const bar = this.#bars.get(keyOf(task)) ?? h("a.lane-bar", isolate(""));
			used.set(keyOf(task), bar);
			const shown = shownStatus(task);
			bar.dataset.status = shown;
			bar.setAttribute("href", paths.task(task.project, task.task_id));
			const words = `${task.title} · ${t(`status.${shown}`)} · ${duration(Math.round((end - start) / 1000))}`;
			bar.title = words;
			bar.setAttribute("aria-label", words);
			bar.firstChild.textContent = task.title;
			const left = Math.max(-1, ((start - this.#from) / span) * 100);
			bar.style.left = `${left}%`;
			bar.style.width = `${Math.min(101, ((end - this.#from) / span) * 100) - left}%`;
			bar.classList.toggle("is-narrow", ((end - start) / span) * this.#axis.clientWidth < 48);
			bar.style.top = `${row * 1.75}rem`;
			track.append(bar);
		}
		track.style.height = `${Math.max(1, free.length) * 1.75}rem`;
		return track;
	}

	#drawAxis() {
		const span = this.#to - this.#from;
		const room = Math.max(3, Math.floor(this.#axis.clientWidth / 110));
		const step = STEPS.find((s) => span / s <= room) ?? WEEK * Math.ceil(span / WEEK / room);
		const zone = new Date(this.#to).getTimezoneOffset() * 60_000;
		const ticks = [];
		for (let at = Math.ceil((this.#from - zone) / step) * step + zone; at < this.#to; at += step) {
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
