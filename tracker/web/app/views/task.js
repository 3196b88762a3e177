// @ts-check
// Task: what it is, how it goes or went, why it failed, everything it has reported. It knows nothing
// of what is around it, so that it can stand beside a list as well as alone.
import { fill, h, isolate, number, paths, remember, remembered, setQuery, t, text, throttle } from "../lib/index.js";
import { api, ApiError, areDeletionsOf, ENDED, keyOf, renewal, shownStatus, store, TaskEvents } from "../data/index.js";
import {
	clamped, copyButton, isUnmeasured, markdown, progressBar, showStatus, Tabs, View,
} from "../parts/index.js";
import { asked, noted, notes, requestsOf } from "./task-attention.js";
import { alike } from "./task-alike.js";
import { taskAttempts } from "./task-attempts.js";
import { data } from "./task-data.js";
import { factsOf } from "./task-facts.js";
import { failure } from "./task-failure.js";
import { taskGraph } from "./task-graph.js";
import { taskLog } from "./task-log.js";
import { asPrompt } from "./task-prompt.js";

const NAMES = ["log", "error", "attempts", "graph", "data"];

/** @typedef {import("../data/store.js").Task} Task */

class TaskView extends View {
	#project;
	#id;
	#chosen;
	/** @type {Task | null} */
	#task = null;
	#events;
	#status = h("span");
	/** Of its heading: 1 where it is the page. */
	level = 1;
	#title = h("div");
	#gone = h("p.gone", { role: "alert", hidden: true });
	#asked = h("div");
	#notes = h("div.notes");
	#facts = h("dl.facts");
	#bar = progressBar();
	#percent = h("span.task-percent");
	#message = h("bdi.task-message", { dir: "auto" });
	#result = h("div");
	#actions = h("div.actions");
	#tabs = new Tabs(t("task.tabs"), Object.fromEntries(NAMES.map((name) => [name, t(`task.tab.${name}`)])), (tab) => {
		setQuery({ tab });
		this.#chosen = tab;
		this.#showTab();
		if (tab === "graph" || tab === "attempts") this.reload();
	});
	#log;
	#attempts;
	#graph;
	#parts = new Map();
	/** @type {HTMLElement | null} */
	#scroller = null;
	/** @type {{passed: number, count: number} | null} */
	#alike = null;
	#isRestored = false;
	#rememberSoon = throttle(() => this.#remember(), 500);
	#showSoon = throttle(() => this.#show(), 200);
	#reloadSoon = renewal(() => this.reload(), 1500);

	constructor([project, id], query) {
		super();
		this.#project = project;
		this.#id = id;
		this.#chosen = query?.get("tab");
		this.#events = new TaskEvents(project, id);
		this.#log = taskLog(this.#events, id);
		this.#attempts = taskAttempts(project, id);
		this.#graph = taskGraph(project, id);
		this.classList.add("view-fixed");
		this.dataset.task = paths.task(project, id); // whoever sees it need not be told of it
	}

	render() {
		this.#title = h(`h${this.level}.task-name`, { tabindex: "-1" }, isolate(this.#id));
		this.append(
			h("header.heading.task-heading",
				h("div.heading-names",
					h("nav.crumbs", { "aria-label": t("crumbs") },
						h("a", { href: paths.projects() }, t("nav.projects")), h("span", " / "),
						h("a", { href: paths.project(this.#project) }, isolate(this.#project))),
					h("div.task-title", this.#status, clamped(this.#title, { byClick: true }))),
				this.#actions),
			this.#gone, this.#asked,
			h("div.task-now", h("div.task-progress", this.#bar.element, this.#percent), this.#message),
			this.#facts, this.#notes, this.#result, ...this.#tabs.elements);
		this.#actions.append(
			copyButton(t("task.copyPrompt"), () => asPrompt(/** @type {Task} */ (this.#task), this.#events.all), ".button-strong"));
		this.toggleAttribute("data-unknown", true);
		this.#scroller = this.parentElement;
		this.#scroller?.addEventListener("scroll", this.#rememberSoon, { capture: true, passive: true });
	}

	async load() {
		const { events, ...task } = await api.task(this.#project, this.#id);
		/** @type {Task} */
		const read = (this.#task = { ...task, ...store.merge({ ...task }) });
		this.#events.take(events);
		this.#gone.hidden = true;
		this.toggleAttribute("data-unknown", false);
		this.#show();
		const { chosen } = this.#tabs;
		await Promise.all([
			ENDED.has(read.status) && this.#compare(read),
			chosen === "graph" && this.#graph.load(read),
			chosen === "attempts" && this.#attempts.load(read, this.#events.all),
		]);
		await this.#restore();
	}

	async #compare(task) {
		this.#alike = await alike(task);
		this.#show();
	}

	disconnectedCallback() {
		super.disconnectedCallback();
		this.#scroller?.removeEventListener("scroll", this.#rememberSoon, { capture: true });
	}

	/** For whoever comes back; what is scrolled before it was as it is to be, is not. */
	#remember() {
		if (!this.#isRestored || !this.isConnected) return;
		remember({ task: { id: this.#id, scroll: this.#scroller?.scrollTop, log: this.#log.place } });
	}

	async #restore() {
		if (this.#isRestored) return;
		this.#isRestored = true;
		const { id, scroll, log } = remembered("task") ?? {};
		if (id !== this.#id) return;
		if (log !== null && this.#tabs.chosen === "log") await this.#log.comeBackTo(log);
		if (this.#scroller) this.#scroller.scrollTop = scroll;
	}

	reset() {
		this.#events.forget();
		super.reset();
	}

	update(events) {
		if (this.#tabs.chosen === "graph") this.#graph.update(events);
		if (areDeletionsOf(events, { project: this.#project, task_id: this.#id })) return void this.reload();
		const key = keyOf({ project: this.#project, task_id: this.#id });
		const own = events.filter(({ data }) => keyOf(data) === key);
		if (events.some(({ data }) => data.parent_task_id === this.#id && data.project === this.#project)) this.#reloadSoon();
		const needed = this.#task?.metadata?.dependencies;
		if (Array.isArray(needed) && events.some(({ data }) => needed.includes(data.task_id))) this.#reloadSoon();
		if (!own.length) return;
		if (!this.#gone.hidden) this.#events.forget(); // it is another of this name
		this.#gone.hidden = true;
		this.#events.add(own);
		if (this.#task) {
			const stack_trace = own.at(-1).data.stack_trace ?? null;
			this.#task = { ...this.#task, ...store.tasks.get(key), stack_trace };
			this.#showSoon();
		}
		// An end brings more than its event holds; so does the first word of an unknown task.
		if (!this.#task || own.some(({ type, data }) => ENDED.has(data.status) || data.truncated || type === "task_started")) this.#reloadSoon();
	}

	tick() {
		if (!this.#task) return;
		showStatus(this.#status, shownStatus(this.#task), this.#task.finished_at);
		this.#showNotes(this.#task);
	}

	/** A task that is not there, or no more, is no failure to be tried again. */
	problem(error) {
		const isGone = error instanceof ApiError && error.status === 404;
		super.problem(isGone ? null : error);
		if (!isGone) return;
		this.#gone.hidden = false;
		fill(this.#gone, this.#task ? t("task.deleted") : [error.message, " ", t("task.unknown")]);
	}

	#show() {
		const task = this.#task;
		if (!task || !this.isConnected) return;
		showStatus(this.#status, shownStatus(task), task.finished_at);
		text(this.#title.firstChild, task.title);
		this.dataset.status = task.status;
		this.toggleAttribute("data-unmeasured", isUnmeasured(task));
		const percent = `${number(task.progress, 1)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, percent);
		this.#message.hidden = ENDED.has(task.status);
		text(this.#message, task.message ?? "");
		fill(this.#asked, this.#part("asked", requestsOf(task), asked));
		fill(this.#facts, factsOf(task, this.#alike).map(([name, input, show]) =>
			this.#part(name, input ?? null, () => input != null && h(`div.fact-${name}`, h("dt", t(`fact.${name}`)), h("dd", show(input))))));
		this.#showNotes(task);
		fill(this.#result, this.#part("result", task.status === "completed" && task.result, (result) => result &&
			h("section.section.task-result", h("h2", t("task.result")), clamped(markdown(result)), copyButton(t("copy.copy"), () => result))));
		this.#showTab();
	}

	#showTab() {
		const task = this.#task;
		if (!task) return;
		const hasFailed = task.status === "failed";
		this.#tabs.offer("error", hasFailed);
		this.#tabs.offer("attempts", task.attempt > 1);
		if (!hasFailed) fill(this.#tabs.panel("error"));
		const chosen = this.#chosen && this.#tabs.has(this.#chosen) ? this.#chosen : hasFailed ? "error" : "log";
		fill(this.#tabs.panel(chosen), this.#content(chosen, task));
		if (this.#tabs.chosen !== chosen) {
			this.#log.isShown = false;
			this.#tabs.select(chosen);
			this.#log.isShown = chosen === "log";
		}
		if (chosen === "log") this.#log.update();
	}

	#content(tab, task) {
		const { all } = this.#events;
		if (tab === "log") return this.#log;
		if (tab === "error") return this.#part("error", [task.error_type, task.error_message, task.stack_trace], () => failure(task));
		if (tab === "graph") return this.#graph;
		if (tab === "attempts") return this.#attempts;
		return this.#part("data", [task.metadata, task.updated_at, all.length], () => data(task, all));
	}

	#showNotes(task) {
		fill(this.#notes, this.#part("notes", noted(task), notes));
	}

	/** Rebuilt only when what it shows has changed: what is open, selected or in focus stays so. */
	#part(name, input, build) {
		const signature = JSON.stringify(input) ?? "";
		if (this.#parts.get(name)?.signature !== signature) {
			this.#parts.set(name, { signature, element: build(input) || null });
		}
		return this.#parts.get(name).element;
	}
}

customElements.define("task-view", TaskView);
