// @ts-check
// What can be done with the tasks that are chosen, all at once, and what has become of it.
import { fill, h, icon, isolate, t, text } from "../lib/index.js";
import { api, ENDED, inBulk, isAdmin, mayAnswer } from "../data/index.js";
import { askInDialog, copyText, formField } from "../parts/index.js";
import { asCsv, asJson } from "./task-export.js";
import { save } from "./task-log-text.js";
import { asPrompt } from "./task-prompt.js";

/** @typedef {import("../parts/selection.js").Chosen} Chosen */

// More would be no prompt any more.
const MOST_COPIED = 50;
const SHOWN_FAILURES = 5;
// Of those that are to be deleted.
const NAMED = 3;

export class SelectionBar {
	#selection;
	#onDone;
	#count = h("strong");
	#all;
	#said = h("p", { role: "status" });
	#failures = h("ul.selection-failures");
	#buttons = h("div.selection-acts");
	#fail = actButton("failed", t("needs.fail"), () => this.#askToFail());
	#delete = actButton("trash", t("selection.delete"), () => this.#askToDelete());
	#clear = h("button.button.button-icon", {
		type: "button", title: t("selection.clear"), "aria-label": t("selection.clear"), onclick: () => this.clear(),
	}, icon("close"));
	#isBusy = false;

	/**
	 * @param {import("../parts/selection.js").Selection} selection
	 * @param {{chooseAll: () => void, onDone: () => void}} table
	 */
	constructor(selection, { chooseAll, onDone }) {
		this.#selection = selection;
		this.#onDone = onDone;
		this.#all = h("button.button.selection-all", { type: "button", onclick: chooseAll });
		fill(this.#buttons,
			actButton("copy", t("task.copyPrompt"), () => this.#copy()), this.#fail, this.#delete,
			["JSON", "CSV"].map((name) => saveButton(name, () => this.#export(name))));
		this.element = h("section.selection-bar", { "aria-label": t("selection.label"), hidden: true },
			h("div.selection-line", this.#count, this.#all, this.#buttons, this.#said), this.#failures, this.#clear);
	}

	/** @param {string} more Words to choose all by; "": all are chosen, or none. */
	update(more) {
		const { size, tasks } = this.#selection;
		text(this.#count, size ? t("selection.count", { count: size }) : "");
		text(this.#all, more);
		this.#all.hidden = !more;
		this.#buttons.hidden = !size;
		this.#fail.hidden = !mayAnswer() || !tasks.some(isAtWork);
		this.#delete.hidden = !isAdmin();
		this.element.hidden = !size && !this.#said.textContent;
	}

	clear() {
		this.#tell("");
		this.#selection.clear();
	}

	#tell(words, failures = []) {
		text(this.#said, words);
		fill(this.#failures, failures.slice(0, SHOWN_FAILURES).map(({ item, error }) =>
			h("li", isolate(nameOf(item)), ": ", error.status ? error.message : t("problem.unreachable"))),
			failures.length > SHOWN_FAILURES && h("li", t("tree.more", { n: failures.length - SHOWN_FAILURES })));
	}

	/**
	 * `act` for each; tells how many it worked for, and of those that it did not, why.
	 * @template Answer
	 * @param {string} done What to say then.
	 * @param {Chosen[]} tasks
	 * @param {(task: Chosen) => Promise<Answer>} act
	 */
	async #each(done, tasks, act) {
		const step = Math.ceil(tasks.length / 10); // nobody listens to each
		this.#setBusy(true);
		const outcome = await inBulk(tasks, act, (count) => {
			if (count % step === 0) this.#tell(t("selection.progress", { count, of: tasks.length }));
		});
		this.#setBusy(false);
		const failed = outcome.failed.length;
		this.#tell([t(done, { count: outcome.done.length }), failed && t("selection.failed", { count: failed })].filter(Boolean).join(" "), outcome.failed);
		return outcome;
	}

	#setBusy(isBusy) {
		this.#isBusy = isBusy;
		this.element.setAttribute("aria-busy", String(isBusy));
	}

	async #copy() {
		if (this.#isBusy) return;
		const tasks = this.#selection.tasks;
		const { done } = await this.#each("selection.copied", tasks.slice(0, MOST_COPIED), async ({ project, task_id: id }) => {
			const task = await api.task(project, id);
			return asPrompt({ ...task, project }, task.events);
		});
		if (!done.length) return;
		if (!await copyText(done.map(({ answer }) => answer).join("\n---\n\n"))) this.#tell(t("selection.notCopied"));
		else if (tasks.length > MOST_COPIED) this.#tell(t("selection.copiedSome", { count: MOST_COPIED, of: tasks.length }));
	}

	/** Of some, their names alone are known, or what events tell: less than a list does. */
	async #export(form) {
		if (this.#isBusy) return;
		const { done } = await this.#each("selection.exported", this.#selection.tasks, async (known) => {
			if (known.usage !== undefined) return known;
			const { events, ...task } = await api.task(known.project, known.task_id);
			return { ...task, project: known.project };
		});
		const tasks = done.map(({ answer }) => answer);
		if (!tasks.length) return;
		const [text, type] = form === "JSON" ? [asJson(tasks), "application/json"] : [asCsv(tasks), "text/csv"];
		save([text], type, `tasks.${form.toLowerCase()}`);
	}

	#askToFail() {
		const tasks = this.#selection.tasks.filter(isAtWork);
		const ended = this.#selection.size - tasks.length;
		const reason = h("input", { type: "text", value: t("needs.reason"), maxlength: "1000" });
		this.#ask({
			title: t("selection.failTitle", { count: tasks.length }), button: t("needs.fail"),
			content: [
				h("p", t("needs.failText")), ended > 0 && h("p", t("selection.ended", { count: ended })),
				formField("reason", t("needs.why"), reason),
			],
			act: () => this.#change("selection.marked", tasks, ({ project, task_id: id }) =>
				api.fail(project, id, reason.value.trim() || t("needs.reason"))),
		});
	}

	#askToDelete() {
		const { tasks } = this.#selection;
		this.#ask({
			title: t("selection.deleteTitle", { count: tasks.length }), button: t("selection.delete"),
			content: [
				h("ul", tasks.slice(0, NAMED).map((task) => h("li", isolate(nameOf(task)))),
					tasks.length > NAMED && h("li", t("tree.more", { n: tasks.length - NAMED }))),
				h("p", t("selection.deleteText")),
			],
			act: () => this.#change("selection.deleted", tasks, ({ project, task_id: id }) => api.deleteTask(project, id)),
		});
	}

	#ask({ title, content, button, act }) {
		if (this.#isBusy) return;
		askInDialog({ title, content, button, danger: true, send: async () => null, onDone: act });
	}

	/** What it has worked for is chosen no more: the rest can be tried again. */
	async #change(done, tasks, act) {
		const outcome = await this.#each(done, tasks, act);
		this.#selection.set(outcome.done.map(({ item }) => item), false);
		if (this.element.contains(document.activeElement) || document.activeElement === document.body) this.#clear.focus();
		this.#onDone();
	}
}

/** Of some that one has come back to, the title is not known yet. @param {Chosen} task */
function nameOf({ title, task_id: id }) {
	return title ?? id;
}

function isAtWork({ status }) {
	return !ENDED.has(status);
}

function actButton(shape, words, act) {
	return h("button.button", { type: "button", title: words, onclick: act }, icon(shape), h("span.selection-word", words));
}

function saveButton(name, act) {
	return h("button.button", { type: "button", "aria-label": t("selection.export", { name }), onclick: act }, icon("save"), name);
}
