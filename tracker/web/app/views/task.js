// @ts-check
// Task: what it is, how it goes or went, why it failed, everything it has reported.
import { duration, fill, h, isolate, number, paths, t, text, throttle } from "../lib/index.js";
import { api, ENDED, isSilent, keyOf, serverNow, shownStatus, store } from "../data/index.js";
import {
	copyButton, jsonTree, progressBar, progressChart, section, showStatus, timeShown, View,
} from "../parts/index.js";
import { failure } from "./task-failure.js";
import { history } from "./task-history.js";
import { asPrompt } from "./task-prompt.js";

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {import("../data/store.js").LogEvent} LogEvent */

class TaskView extends View {
	#project;
	#id;
	/** @type {Task | null} */
	#task = null;
	/** @type {LogEvent[]} */
	#events = [];
	#status = h("span");
	#title = h("h1", { tabindex: "-1" }, isolate(""));
	#facts = h("dl.facts");
	#bar = progressBar();
	#percent = h("span.task-percent");
	#message = h("bdi.task-message", { dir: "auto" });
	#actions = h("div.actions");
	#body = h("div.task-columns");
	#parts = new Map();
	#showSoon = throttle(() => this.#show(), 200);
	#reloadSoon = throttle(() => this.reload(), 1500);

	constructor([project, id]) {
		super();
		this.#project = project;
		this.#id = id;
	}

	render() {
		this.append(
			h("header.heading.task-heading",
				h("div.heading-names",
					h("nav.crumbs", { "aria-label": t("crumbs") },
						h("a", { href: paths.projects() }, t("nav.projects")), " / ",
						h("a", { href: paths.project(this.#project) }, isolate(this.#project))),
					h("div.task-title", this.#status, this.#title)),
				this.#actions),
			h("div.task-now", h("div.task-progress", this.#bar.element, this.#percent), this.#message),
			this.#facts, this.#body);
		this.#actions.append(
			copyButton(t("task.copyPrompt"), () => asPrompt(/** @type {Task} */ (this.#task), this.#events), ".button-strong"));
		this.#actions.hidden = true;
	}

	async load() {
		const { events, ...task } = await api.task(this.#project, this.#id);
		this.#task = { ...task, ...store.merge({ ...task }) };
		const newest = events.at(-1)?.id ?? 0;
		this.#events = [...events, ...this.#events.filter((event) => event.id > newest)];
		this.#show();
	}

	update(events) {
		const key = keyOf({ project: this.#project, task_id: this.#id });
		const own = events.filter(({ data }) => keyOf(data) === key);
		if (!own.length) return;
		const newest = this.#events.at(-1)?.id ?? 0;
		this.#events.push(...own.filter((event) => event.id > newest));
		if (this.#task) {
			const stack_trace = own.at(-1).data.stack_trace ?? null;
			this.#task = { ...this.#task, ...store.tasks.get(key), stack_trace };
			this.#showSoon();
		}
		// An end brings more than its event holds; so does the first word of an unknown task.
		if (!this.#task || own.some(({ data }) => ENDED.has(data.status))) this.#reloadSoon();
	}

	tick() {
		if (this.#task) showStatus(this.#status, shownStatus(this.#task));
	}

	#show() {
		const task = this.#task;
		if (!task || !this.isConnected) return;
		const ended = ENDED.has(task.status);
		showStatus(this.#status, shownStatus(task));
		text(this.#title.firstChild, task.title);
		this.dataset.status = task.status;
		const percent = `${number(task.progress, 1)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, percent);
		text(this.#message, (task.status !== "failed" && task.message) || "");
		this.#actions.hidden = false;
		this.#facts.replaceChildren(...[
			["task.agent", isolate(task.agent)],
			["task.id", h("code", isolate(task.task_id))],
			["task.attempts", number(task.attempt)],
			["task.started", timeShown(task.started_at, "clock")],
			ended ? ["task.ended", timeShown(task.finished_at, "clock")] : ["task.lastWord", timeShown(task.updated_at)],
			["task.duration", ended ? duration(task.duration_seconds ?? 0) : timeShown(task.started_at, "elapsed")],
		].map(([label, value]) => h("div", h("dt", t(label)), h("dd", value))));
		this.#part("silent", isSilent(task), (silent) => silent && h("p.note.note-silent", t("task.silentNote")));
		this.#part("failure", task.status === "failed" && [task.error_type, task.error_message, task.stack_trace],
			(shown) => shown && failure(task));
		this.#part("result", task.status === "completed" && task.result, (result) => result &&
			section(t("task.result"), prose(result), copyButton(t("copy.copy"), () => result)));
		this.#part("chart", this.#events.length, () => this.#chart(task));
		this.#part("history", this.#events.length, () => history(this.#events));
		this.#part("metadata", task.metadata, (data) => data && Object.keys(data).length > 0 &&
			section(t("task.metadata"), jsonTree(data)));
		this.#part("json", task.updated_at, () => this.#json());
		const part = (name) => this.#parts.get(name)?.element;
		fill(this.#body,
			h("div.task-main", ["silent", "failure", "result", "history"].map(part)),
			h("div.task-aside", ["chart", "metadata", "json"].map(part)));
	}

	/** Rebuilt only when what it shows has changed: what is open or selected stays so. */
	#part(name, input, build) {
		const signature = JSON.stringify(input) ?? "";
		if (this.#parts.get(name)?.signature === signature) return;
		this.#parts.set(name, { signature, element: build(input) || null });
	}

	#chart(task) {
		const ofAttempt = this.#events.filter(({ data }) => data.attempt === task.attempt && !data.late);
		const points = ofAttempt.map(({ data, timestamp }) => ({ at: Date.parse(timestamp), progress: data.progress }));
		if (points.length < 3) return null;
		const end = task.finished_at ? Date.parse(task.finished_at) : serverNow();
		return section(t("task.overTime"), progressChart(points, points[0].at, end));
	}

	#json() {
		const asJson = () => JSON.stringify({ ...this.#task, events: this.#events }, null, 2);
		const pre = h("pre.raw", { tabindex: "0" });
		const details = h("details.section.raw-json", h("summary", t("task.json")), pre,
			copyButton(t("copy.copy"), asJson));
		details.addEventListener("toggle", () => details.open && text(pre, asJson()));
		return details;
	}
}

function prose(words) {
	const element = isolate(words, "div");
	element.className = "prose";
	return element;
}

customElements.define("task-view", TaskView);
