// @ts-check
// One task as a line of a list: <task-line>, whose `task` may be set again and again.
import { attribute, duration, h, isolate, number, paths, t, text } from "../lib/index.js";
import { ENDED, isWaiting, shownStatus } from "../data/index.js";
import { notesOf, progressBar, showStatus, timeShown } from "./marks.js";

class TaskLine extends HTMLElement {
	#status = h("span.line-status");
	#title = isolate("", "bdi");
	#link = h("a.line-link", { "data-row": "" }, this.#title);
	#project = h("bdi.line-project", { dir: "auto" });
	#agent = h("bdi.line-agent", { dir: "auto" });
	#notes = h("span.line-notes");
	#words = h("bdi.line-words", { dir: "auto" });
	#bar = progressBar();
	#percent = h("span.line-percent");
	#time = h("span.line-time");
	/** @type {boolean | null} */
	#ended = null;

	connectedCallback() {
		if (this.firstChild) return;
		if (!this.hasAttribute("role")) this.setAttribute("role", "listitem");
		this.append(
			this.#status,
			h("div.line-main", this.#link,
				h("div.line-meta", this.#project, this.#agent, this.#notes, this.#words)),
			h("div.line-side", this.#time, h("span.line-progress", this.#bar.element, this.#percent)),
		);
	}

	set task(task) {
		const ended = ENDED.has(task.status);
		const shown = shownStatus(task);
		this.dataset.status = shown;
		showStatus(this.#status, shown);
		text(this.#title, task.title);
		attribute(this.#link, "href", paths.task(task.project, task.task_id));
		text(this.#project, task.project);
		text(this.#agent, task.agent);
		text(this.#notes, notesOf(task).join(" · "));
		text(this.#words, summaryOf(task));
		this.toggleAttribute("data-unmeasured", isUnmeasured(task));
		const percent = `${number(task.progress)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, percent);
		if (this.#ended !== ended || ended) this.#showTime(task, ended);
		else attribute(this.#time.firstChild, "at", sinceOf(task));
		this.#ended = ended;
	}

	#showTime(task, ended) {
		if (!ended) return this.#time.replaceChildren(timeShown(sinceOf(task), "elapsed"));
		this.#time.replaceChildren(
			h("span", duration(task.duration_seconds ?? 0)), timeShown(task.finished_at));
	}
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
