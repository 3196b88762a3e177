// @ts-check
// <task-attempts>: how each attempt at a task ended, one of them beside the last.
import { duration, fill, h, icon, isolate, t } from "../lib/index.js";
import { api, ENDED } from "../data/index.js";
import { markdown, section, status, timeShown } from "../parts/index.js";
import { failure } from "./task-failure.js";

const MOST = 1000; // events of a kind
const LAST_WORDS = 50; // reports of an attempt, of which one ended it

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {import("../data/store.js").LogEvent} LogEvent */
/** @typedef {{start?: LogEvent, end?: LogEvent}} Attempt Of which the events are known. */

class TaskAttempts extends HTMLElement {
	#project;
	#id;
	/** @type {Task | null} */
	#task = null;
	/** @type {Map<number, Attempt>} */
	#attempts = new Map();
	#read = "";
	#chosen = 0;
	#choice = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": t("attempts.choose"), onchange: () => this.#choose(Number(this.#choice.value)) }));
	#steps = [-1, 1].map((step) => h("button.button.button-icon", {
		type: "button", title: t(step < 0 ? "attempts.before" : "attempts.after"), "aria-label": t(step < 0 ? "attempts.before" : "attempts.after"),
		onclick: () => this.#choose(this.#chosen + step),
	}, icon(step < 0 ? "left" : "right")));
	#compared = h("div.attempts");

	/** @param {string} project @param {string} id */
	constructor(project, id) {
		super();
		this.#project = project;
		this.#id = id;
	}

	connectedCallback() {
		if (!this.firstChild) this.append(h("div.attempts-choice", this.#steps[0], this.#choice, this.#steps[1]), this.#compared);
	}

	/**
	 * @param {Task} task
	 * @param {LogEvent[]} events Of it, as far as they have been read.
	 */
	async load(task, events) {
		this.#task = task;
		const known = `${task.attempt} ${task.status} ${task.finished_at}`;
		if (known === this.#read) return;
		const of = { project: this.#project, task_id: this.#id, newest: MOST };
		const [starts, ...ends] = await Promise.all(["task_started", "task_error", "task_finished"].map((type) => api.events({ ...of, type })));
		this.#read = known;
		this.#attempts.clear();
		for (const event of starts.events) {
			if (!this.#of(event).start) this.#of(event).start = event;
		}
		this.#takeEnds([...ends.flatMap(({ events }) => events), ...events]);
		if (!this.#chosen) this.#chosen = Math.max(1, task.attempt - 1);
		await this.#showChosen();
	}

	/** @returns {Attempt} */
	#of({ data }) {
		const { attempt } = data;
		if (!this.#attempts.has(attempt)) this.#attempts.set(attempt, {});
		return /** @type {Attempt} */ (this.#attempts.get(attempt));
	}

	/** The latest that ended an attempt stands. */
	#takeEnds(events) {
		for (const event of events) {
			if (!ENDED.has(event.data.status) || event.data.late) continue;
			const attempt = this.#of(event);
			if ((attempt.end?.id ?? 0) < event.id) attempt.end = event;
		}
	}

	async #choose(n) {
		this.#chosen = n;
		await this.#showChosen();
	}

	async #showChosen() {
		const n = this.#chosen;
		this.#show();
		const next = this.#attempts.get(n + 1)?.start;
		if (this.#attempts.get(n)?.end || !next) return;
		// One that a status report ended is known by no kind of event of its own.
		const { events } = await api.events({ project: this.#project, task_id: this.#id, newest: LAST_WORDS, before: next.id });
		this.#takeEnds(events.filter(({ data }) => data.attempt === n));
		this.#show();
	}

	#show() {
		const { attempt: last } = /** @type {Task} */ (this.#task);
		fill(this.#choice, Array.from({ length: last }, (_, at) => {
			const end = this.#attempts.get(at + 1)?.end;
			const words = [t("task.attempt", { n: at + 1 }), end && t(`status.${end.data.status}`)];
			return h("option", { value: at + 1, selected: at + 1 === this.#chosen }, words.filter(Boolean).join(" · "));
		}));
		this.#choice.value = String(this.#chosen);
		this.#steps[0].toggleAttribute("disabled", this.#chosen <= 1);
		this.#steps[1].toggleAttribute("disabled", this.#chosen >= last);
		fill(this.#compared, this.#card(this.#chosen), this.#chosen !== last && this.#card(last));
	}

	#card(n) {
		const task = /** @type {Task} */ (this.#task);
		const isLast = n === task.attempt;
		const { start, end } = this.#attempts.get(n) ?? {};
		const ended = isLast ? task : end?.data;
		const at = isLast ? task.started_at : (start?.data.started_at ?? end?.data.started_at);
		const about = h("p.attempt-about",
			ended && status(ended.status), " ", at && timeShown(at, "clock"),
			ended?.duration_seconds != null && ` · ${duration(ended.duration_seconds)}`);
		const title = isLast ? t("attempts.last", { n }) : t("task.attempt", { n });
		const said = !ended ? h("p.quiet", t("attempts.unknown"))
			: ended.status === "failed" ? failure(ended)
			: ended.result ? section(t("task.result"), markdown(ended.result))
			: ended.message && h("p", isolate(ended.message));
		return h("article.attempt", { "aria-label": title }, h("h2", title), about, said);
	}
}

customElements.define("task-attempts", TaskAttempts);

/** @param {ConstructorParameters<typeof TaskAttempts>} given */
export function taskAttempts(...given) {
	return new TaskAttempts(...given);
}
