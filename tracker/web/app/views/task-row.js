// @ts-check
// One task as a row of the table.
import { duration, h, isolate, number, paths, t, text } from "../lib/index.js";
import { keyOf, shownStatus } from "../data/index.js";
import { cell, costOf, notesOf, progressBar, showStatus, summaryOf, timeShown } from "../parts/index.js";

export class TaskRow extends HTMLElement {
	#box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox" }));
	#choice = cell("cell-select", this.#box);
	#status = cell("cell-status");
	#link = h("a.row-link", { "data-row": "" }, isolate(""));
	#notes = h("span.row-notes");
	#words = isolate("");
	#agent = isolate("");
	#bar = progressBar();
	#percent = h("span");
	#started = timeShown("", "clock");
	#updated = timeShown("", "clock");
	#attempt = cell("cell-attempt");
	#duration = cell("cell-duration");
	#elapsed = timeShown("", "elapsed");
	#used = cell("cell-used");
	#project = h("bdi.row-project", { dir: "auto" });
	key = "";

	connectedCallback() {
		if (this.firstChild) return;
		this.className = "table-row";
		this.setAttribute("role", "row");
		// The whole cell is for the finger; with Shift, text would be selected.
		this.#choice.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());
		this.#choice.addEventListener("click", (event) => {
			const isChosen = event.target === this.#box ? this.#box.checked : !this.#box.checked;
			this.choose(isChosen, event.shiftKey);
		});
		this.append(
			this.#choice,
			this.#status,
			cell("cell-title", this.#link, h("div.row-words", this.#project, this.#notes, this.#words)),
			cell("cell-agent", this.#agent),
			cell("cell-progress", this.#bar.element, this.#percent),
			cell("cell-started", this.#started),
			cell("cell-updated", this.#updated),
			this.#attempt,
			this.#duration,
			this.#used,
		);
	}

	get link() {
		return this.#link;
	}

	/** @param {boolean} toHere All from the one that was chosen last. */
	choose(isChosen, toHere) {
		this.dispatchEvent(new CustomEvent("choose", { bubbles: true, detail: { isChosen, toHere } }));
	}

	get isChosen() {
		return this.#box.checked;
	}

	show(task, isChosen) {
		this.classList.toggle("is-loading", !task);
		this.key = task ? keyOf(task) : "";
		if (!task) {
			this.#link.removeAttribute("href");
			this.removeAttribute("data-chosen");
			return;
		}
		this.#box.checked = isChosen;
		this.toggleAttribute("data-chosen", isChosen);
		this.#box.setAttribute("aria-label", t("selection.choose", { title: task.title }));
		text(this.#project, this.closest("tasks-view") ? task.project : "");
		const shown = shownStatus(task);
		this.dataset.status = shown;
		showStatus(this.#status, shown, task.finished_at);
		this.#link.setAttribute("href", paths.task(task.project, task.task_id));
		text(this.#link.firstChild, task.title);
		text(this.#notes, notesOf(task).join(" · "));
		text(this.#words, summaryOf(task) || task.task_id);
		text(this.#agent, task.agent);
		const percent = `${number(task.progress)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, task.status === "completed" ? "" : percent);
		text(this.#used, costOf(task.usage));
		this.#started.setAttribute("at", task.started_at);
		this.#updated.setAttribute("at", task.updated_at);
		text(this.#attempt, number(task.attempt));
		if (task.finished_at) text(this.#duration, duration(task.duration_seconds ?? 0));
		else {
			this.#elapsed.setAttribute("at", task.started_at);
			if (this.#elapsed.parentNode !== this.#duration) this.#duration.replaceChildren(this.#elapsed);
		}
	}
}

