// @ts-check
// What needs a person, the newest first, with what a person can do about it: by button or key.
import { attribute, duration, h, icon, isolate, paths, t, text } from "../lib/index.js";
import {
	api, ENDED, isOverdue, isSeenTo, isSilent, isWaiting, keyOf, mayAnswer, mayJudge, overview, store,
} from "../data/index.js";
import { askInDialog, copyButton, formField, openDialog, showStatus, summaryOf, timeShown } from "../parts/index.js";
import { asPrompt } from "./task-prompt.js";

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {{key: string, since: string, task?: Task, reason?: string, words?: string, session?: any}} Need */

/**
 * All of them, the newest first. Silence and the like count only if they did before while nothing is heard.
 * @param {Set<string>} before The keys of those that were shown last.
 * @returns {Need[]}
 */
export function needs(before) {
	const tasks = [...overview.active, ...overview.failed].filter((task) => !isSeenTo(task));
	/** @type {Need[]} */
	const ofTasks = tasks.map((task) => ({ key: keyOf(task), task, ...reasonOf(task) }));
	const turns = overview.turns.flatMap(turnOf).filter(({ task }) => !task || !tasks.includes(task));
	return [...ofTasks, ...turns]
		.filter(({ key, since, reason }) => since && (mayJudge() || !JUDGED.has(reason ?? "") || before.has(key)))
		.sort((a, b) => (a.since < b.since ? 1 : -1));
}

const JUDGED = new Set(["silent", "overdue"]);

/** Of a session's turn one sees to by its last task; one that had no prompt yet has none. @returns {Need[]} */
function turnOf(session) {
	const need = { key: `${session.project}\0\0${session.session}`, since: session.last_report_at };
	if (!session.last_task) return [{ ...need, session }];
	const task = store.tasks.get(keyOf(session.last_task)) ?? session.last_task;
	return isSeenTo(task) ? [] : [{ ...need, task, reason: "yours", words: summaryOf(task) }];
}

/** @param {Task} task */
function reasonOf(task) {
	if (isWaiting(task)) return { reason: "waiting", since: task.attention_since ?? task.updated_at, words: summaryOf(task) };
	if (task.status === "failed") return { reason: "failed", since: task.finished_at ?? task.updated_at, words: summaryOf(task) };
	if (isSilent(task)) return { reason: "silent", since: task.silent_since ?? "", words: task.message || t("task.silentNote") };
	if (!isOverdue(task)) return { since: "" };
	const estimate = task.metadata?.estimated_duration ?? 0;
	const since = new Date(Date.parse(task.started_at) + 1000 * estimate).toISOString();
	return { reason: "overdue", since, words: t("task.overdueNote", { time: duration(estimate) }) };
}

/** The keys of actions, on the row that has the focus. */
const KEYS = { c: "copy", a: "acknowledge", z: "snooze", x: "fail" };

class NeedLine extends HTMLElement {
	#parts = /** @type {ReturnType<typeof parts> | null} */ (null);
	/** @type {Record<string, HTMLElement>} */
	#buttons = {};
	/** @type {any} */
	#task = null;

	connectedCallback() {
		this.setAttribute("role", "listitem");
	}

	#build() {
		const all = parts(this);
		const { actions } = all;
		const copied = copyButton(t("task.copyPrompt"), () => this.#prompt(), ".button-icon");
		this.#buttons.copy = /** @type {HTMLElement} */ (copied.querySelector("button"));
		label(this.#buttons.copy, "copy", t("task.copyPrompt"));
		actions.append(copied);
		if (mayAnswer()) {
			this.#add(actions, "acknowledge", "check", () => this.#act(() => api.acknowledge(...this.#name)));
			this.#add(actions, "snooze", "snooze", () => askHowLong(this.#task.title, (minutes) => this.#act(() => api.snooze(...this.#name, minutes))));
			this.#add(actions, "fail", "failed", () => askWhy(this.#task.title, (reason) => api.fail(...this.#name, reason)));
		}
		this.addEventListener("keydown", (event) => {
			const button = this.#buttons[KEYS[event.key]];
			if (!button || button.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
			event.preventDefault();
			button.click();
		});
		return all;
	}

	/** @param {Need} need */
	show({ task, reason = "", since, words = "" }) {
		this.#task = task;
		const all = (this.#parts ??= this.#build());
		this.dataset.status = reason;
		showStatus(all.status, reason);
		text(all.title, this.#task.title);
		attribute(all.link, "href", paths.task(...this.#name));
		text(all.project, this.#task.project);
		text(all.agent, this.#task.agent);
		text(all.words, words);
		attribute(all.time, "at", since);
		if (this.#buttons.fail) this.#buttons.fail.hidden = ENDED.has(this.#task.status);
	}

	/** @returns {[string, string]} */
	get #name() {
		return [this.#task.project, this.#task.task_id];
	}

	#add(actions, name, shape, act) {
		const button = h("button.button.button-icon", { type: "button", onclick: act }, icon(shape));
		label(button, name, t(`needs.${name}`));
		this.#buttons[name] = button;
		actions.append(button);
	}

	async #prompt() {
		const task = await api.task(...this.#name);
		return asPrompt({ ...task, project: this.#task.project }, task.events);
	}

	/** The event that tells of it takes the row away, here and in every other page. */
	async #act(send) {
		const { problem } = /** @type {ReturnType<typeof parts>} */ (this.#parts);
		text(problem, "");
		try {
			await send();
		} catch (error) {
			text(problem, error.status ? error.message : t("problem.unreachable"));
		}
	}
}

/** What a line is made of, once it has something to show. */
function parts(line) {
	const title = isolate("");
	const all = {
		title,
		status: h("span.line-status"),
		link: h("a.line-link", { "data-row": "" }, title),
		project: h("bdi.line-project", { dir: "auto" }),
		agent: h("bdi.line-agent", { dir: "auto" }),
		words: h("bdi.need-words", { dir: "auto" }),
		time: timeShown(""),
		problem: h("p.form-problem", { role: "alert" }),
		actions: h("div.need-actions"),
	};
	line.append(all.status,
		h("div.line-main", all.link, h("div.line-meta", all.project, all.agent), all.words, all.problem),
		h("div.line-side", h("span.line-time", all.time), all.actions));
	return all;
}

function label(button, name, words) {
	const [key] = Object.entries(KEYS).find(([, of]) => of === name) ?? [""];
	button.title = `${words} (${key.toUpperCase()})`;
	button.setAttribute("aria-keyshortcuts", key);
	if (name !== "copy") button.setAttribute("aria-label", words);
}

function askHowLong(title, choose) {
	const tomorrow = new Date(Date.now());
	tomorrow.setDate(tomorrow.getDate() + 1);
	tomorrow.setHours(9, 0, 0, 0);
	/** @type {[string, number][]} */
	const choices = [
		[t("needs.minutes"), 15], [t("needs.hour"), 60],
		[t("needs.tomorrow"), (tomorrow.getTime() - Date.now()) / 60_000],
	];
	const dialog = h("dialog.dialog.ask", { "aria-labelledby": "ask-title" },
		h("h2", { id: "ask-title" }, t("needs.snooze")), h("p", isolate(title)),
		h("div.dialog-buttons", choices.map(([words, minutes]) => h("button.button", {
			type: "button",
			onclick: () => {
				dialog.close();
				choose(minutes);
			},
		}, words))));
	openDialog(dialog);
}

function askWhy(title, send) {
	const reason = h("input", { type: "text", value: t("needs.reason") });
	askInDialog({
		title: t("needs.fail"), danger: true, button: t("needs.fail"),
		content: [h("p", isolate(title)), h("p", t("needs.failText")), formField("reason", t("needs.why"), reason)],
		send: () => send(reason.value), onDone: () => null,
	});
}

customElements.define("need-line", NeedLine);
