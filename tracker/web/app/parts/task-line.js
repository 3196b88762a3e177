// @ts-check
// One task as a line of a list: <task-line>, whose `task` may be set again and again.
import { attribute, duration, h, isolate, number, paths, t, text } from "../lib/index.js";
import { ENDED, isWaiting, shownStatus } from "../data/index.js";
import { notesOf, progressBar, showStatus, timeShown } from "./marks.js";

class TaskLine extends HTMLElement {
	#parts = /** @type {ReturnType<typeof parts> | null} */ (null);
	/** @type {boolean | null} */
	#ended = null;

	connectedCallback() {
		if (!this.hasAttribute("role")) this.setAttribute("role", "listitem");
	}

	set task(task) {
		const { status, title, link, project, agent, notes, words, bar, percent, time } = (this.#parts ??= parts(this));
		const ended = ENDED.has(task.status);
		const shown = shownStatus(task);
		attribute(this, "data-status", shown);
		showStatus(status, shown, task.finished_at);
		text(title, task.title);
		attribute(link, "href", paths.task(task.project, task.task_id));
		text(project, task.project);
		text(agent, task.agent);
		text(notes, notesOf(task).join(" · "));
		text(words, summaryOf(task));
		this.toggleAttribute("data-unmeasured", isUnmeasured(task));
		const done = `${number(task.progress)} %`;
		bar.update(task.progress, `${t("task.progress")}: ${done}`);
		text(percent, done);
		if (this.#ended !== ended || ended) showTime(time, task, ended);
		else attribute(time.firstChild, "at", sinceOf(task));
		this.#ended = ended;
	}
}

/** What a line is made of, once it has something to show. */
function parts(line) {
	const title = isolate("", "bdi");
	const bar = progressBar();
	const all = {
		title, bar,
		status: h("span.line-status"),
		link: h("a.line-link", { "data-row": "" }, title),
		project: h("bdi.line-project", { dir: "auto" }),
		agent: h("bdi.line-agent", { dir: "auto" }),
		notes: h("span.line-notes"),
		words: h("bdi.line-words", { dir: "auto" }),
		percent: h("span.line-percent"),
		time: h("span.line-time"),
	};
	line.append(
		all.status,
		h("div.line-main", all.link, h("div.line-meta", all.project, all.agent, all.notes, all.words)),
		h("div.line-side", all.time, h("span.line-progress", bar.element, all.percent)),
	);
	return all;
}

function showTime(time, task, ended) {
	if (!ended) return time.replaceChildren(timeShown(sinceOf(task), "elapsed"));
	time.replaceChildren(h("span", duration(task.duration_seconds ?? 0)), timeShown(task.finished_at));
}

/**
 * Of what agents do in their sessions nobody knows how far it is, unless they say so.
 * @param {import("../data/store.js").Task} task
 */
export function isUnmeasured({ progress, session }) {
	return !progress && Boolean(session);
}

/** Since when it has been as it is shown: what waits for a person is measured by how long it does. */
function sinceOf(task) {
	return (isWaiting(task) && task.attention_since) || task.started_at;
}

/**
 * What is last known of a task, in a line; of one that needs a person, what for.
 * @param {import("../data/store.js").Task} task
 */
export function summaryOf(task) {
	if (isWaiting(task)) return /** @type {string} */ (task.attention);
	if (task.status === "failed") {
		return [task.error_type, task.error_message].filter(Boolean).join(": ") || task.message || "";
	}
	return (task.status === "completed" && task.result) || task.message || "";
}

customElements.define("task-line", TaskLine);
