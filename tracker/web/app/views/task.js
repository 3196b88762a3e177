// @ts-check
// Task: what it is, how it goes or went, why it failed, everything it has reported.
import { duration, fill, h, isolate, keyed, number, paths, t, text, throttle } from "../lib/index.js";
import { api, ENDED, keyOf, serverNow, shownStatus, store } from "../data/index.js";
import {
	copyButton, isUnmeasured, jsonTree, progressBar, progressChart, section, showStatus, timeShown, usageOf, View,
} from "../parts/index.js";
import { asked, noted, notes, requestsOf } from "./task-attention.js";
import { failure } from "./task-failure.js";
import { history } from "./task-history.js";
import { asPrompt } from "./task-prompt.js";

const MOST_OF_SESSION = 200;

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
	#asked = h("div");
	#subtasks = h("div.lines", { role: "list", "aria-label": t("task.subtasks") });
	#subtasksSection = section(t("task.subtasks"), this.#subtasks);
	#showSubtasks = keyed(this.#subtasks, () => h("task-line"), (line, task) => (line.task = task));
	#notes = h("div.notes");
	#facts = h("dl.facts");
	#bar = progressBar();
	#percent = h("span.task-percent");
	#message = h("bdi.task-message", { dir: "auto" });
	#actions = h("div.actions");
	#main = h("div.task-main");
	#aside = h("div.task-aside");
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
			this.#asked,
			h("div.task-now", h("div.task-progress", this.#bar.element, this.#percent), this.#message),
			this.#facts, this.#notes, this.#subtasksSection, h("div.task-columns", this.#main, this.#aside));
		this.#actions.append(
			copyButton(t("task.copyPrompt"), () => asPrompt(/** @type {Task} */ (this.#task), this.#events), ".button-strong"));
		this.#actions.hidden = this.#subtasksSection.hidden = true;
	}

	async load() {
		const { events, ...task } = await api.task(this.#project, this.#id);
		this.#task = { ...task, ...store.merge({ ...task }) };
		const newest = events.at(-1)?.id ?? 0;
		this.#events = [...events, ...this.#events.filter((event) => event.id > newest)];
		this.#show();
		await this.#loadSubtasks();
	}

	/** Those that it has started are of its session. */
	async #loadSubtasks() {
		const { session } = /** @type {Task} */ (this.#task);
		if (!session) return;
		const { tasks } = await api.tasks(this.#project, { session, limit: MOST_OF_SESSION });
		const own = tasks.filter((task) => task.parent_task_id === this.#id).map((task) => store.merge({ project: this.#project, ...task }));
		this.#showSubtasks(own.reverse(), keyOf);
		this.#subtasksSection.hidden = own.length === 0;
	}

	update(events) {
		const key = keyOf({ project: this.#project, task_id: this.#id });
		const own = events.filter(({ data }) => keyOf(data) === key);
		if (events.some(({ data }) => data.parent_task_id === this.#id && data.project === this.#project)) this.#reloadSoon();
		const needed = this.#task?.metadata?.dependencies;
		if (Array.isArray(needed) && events.some(({ data }) => needed.includes(data.task_id))) this.#reloadSoon();
		if (!own.length) return;
		const newest = this.#events.at(-1)?.id ?? 0;
		this.#events.push(...own.filter((event) => event.id > newest));
		if (this.#task) {
			const stack_trace = own.at(-1).data.stack_trace ?? null;
			this.#task = { ...this.#task, ...store.tasks.get(key), stack_trace };
			this.#showSoon();
		}
		// An end brings more than its event holds; so does the first word of an unknown task.
		if (!this.#task || own.some(({ data }) => ENDED.has(data.status) || data.truncated)) this.#reloadSoon();
	}

	tick() {
		if (!this.#task) return;
		showStatus(this.#status, shownStatus(this.#task));
		this.#showNotes(this.#task);
	}

	#show() {
		const task = this.#task;
		if (!task || !this.isConnected) return;
		const ended = ENDED.has(task.status);
		showStatus(this.#status, shownStatus(task));
		text(this.#title.firstChild, task.title);
		this.dataset.status = task.status;
		this.toggleAttribute("data-unmeasured", isUnmeasured(task));
		const percent = `${number(task.progress, 1)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, percent);
		text(this.#message, (task.status !== "failed" && task.message) || "");
		this.#actions.hidden = false;
		fill(this.#asked, this.#part("asked", requestsOf(task), asked));
		fill(this.#facts, [
			this.#fact("task.agent", task.agent, isolate),
			this.#fact("task.id", task.task_id, code),
			this.#fact("task.session", task.session, (session) =>
				h("a", { href: `${paths.project(this.#project)}?${new URLSearchParams({ session })}` }, code(session))),
			this.#fact("task.parent", task.parent_task_id, (id) => h("a", { href: paths.task(this.#project, id) }, code(id))),
			this.#fact("task.attempts", task.attempt, number),
			this.#fact("task.started", task.started_at, (at) => timeShown(at, "clock")),
			this.#fact("task.ended", ended ? task.finished_at : null, (at) => timeShown(at, "clock")),
			this.#fact("task.lastWord", ended ? null : task.updated_at, timeShown),
			this.#fact("task.duration", [ended, task.duration_seconds, task.started_at],
				() => (ended ? duration(task.duration_seconds ?? 0) : timeShown(task.started_at, "elapsed"))),
			this.#fact("task.used", task.usage, usageOf),
			this.#fact("task.usedInAll", ofOthersToo(task), usageOf),
		]);
		this.#showNotes(task);
		fill(this.#main,
			this.#part("failure", task.status === "failed" && [task.error_type, task.error_message, task.stack_trace],
				(shown) => shown && failure(task)),
			this.#part("result", task.status === "completed" && task.result, (result) => result &&
				section(t("task.result"), prose(result), copyButton(t("copy.copy"), () => result))),
			this.#part("history", this.#events.length, () => history(this.#events)));
		fill(this.#aside,
			this.#part("chart", this.#events.length, () => this.#chart(task)),
			this.#part("metadata", task.metadata, (data) => data && Object.keys(data).length > 0 &&
				section(t("task.metadata"), jsonTree(data))),
			this.#part("json", task.updated_at, () => this.#json()));
	}

	#showNotes(task) {
		fill(this.#notes, this.#part("notes", noted(task), notes));
	}

	#fact(label, value, show) {
		return this.#part(label, value ?? null, () => value != null && h("div", h("dt", t(label)), h("dd", show(value))));
	}

	/** Rebuilt only when what it shows has changed: what is open, selected or in focus stays so. */
	#part(name, input, build) {
		const signature = JSON.stringify(input) ?? "";
		if (this.#parts.get(name)?.signature !== signature) {
			this.#parts.set(name, { signature, element: build(input) || null });
		}
		return this.#parts.get(name).element;
	}

	#chart(task) {
		const ofAttempt = this.#events.filter(({ data }) => data.attempt === task.attempt && !data.late);
		const points = ofAttempt.map(({ data, timestamp }) => ({ at: Date.parse(timestamp), progress: data.progress }));
		if (points.length < 3 || points.every(({ progress }) => !progress)) return null;
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

/**
 * With that of what it has started, if that has used any.
 * @param {Task} task
 */
function ofOthersToo({ usage, usage_total: all }) {
	const own = usage && usageOf(usage);
	return all && usageOf(all) !== own ? all : null;
}

function code(words) {
	return h("code", isolate(words));
}

function prose(words) {
	const element = isolate(words, "div");
	element.className = "prose";
	return element;
}

customElements.define("task-view", TaskView);
