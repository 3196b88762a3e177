// @ts-check
// Of which events, heard as they happened, a person is told at once. Whoever has done it himself knows.
import { isByPerson, isSeenTo, isSilent, keyOf, NO_REPORTS, openedBy } from "./store.js";

/**
 * @typedef {object} Alert
 * @property {"failed" | "attention" | "silent" | "turn"} kind
 * @property {import("./store.js").Report} task
 * @property {string} words What it says, or asks.
 * @property {string} [request] The id of the request.
 */

// What happened longer ago is history: a connection may have slept, and live.
const FRESH_MS = 120_000;

export class Judge {
	#asked = new Set();
	/** By session, the task that ended last in it, until it is known whose turn it is. @type {Map<string, {task: import("./store.js").Report, at: string}>} */
	#ended = new Map();

	/**
	 * @param {import("./store.js").LogEvent[]} events
	 * @param {number} now
	 * @returns {Alert[]}
	 */
	of(events, now) {
		return events.filter(({ data, timestamp }) => data.task_id && now - Date.parse(timestamp) < FRESH_MS)
			.flatMap((event) => this.#ofOne(event));
	}

	/** @param {import("./store.js").LogEvent} event @returns {Alert[]} */
	#ofOne(event) {
		const { type, data: task, timestamp: at } = event;
		if (isSeenTo(task)) return [];
		if (type === "task_silent") return [{ kind: "silent", task, words: "" }];
		if (NO_REPORTS.has(type)) return [];
		const opened = openedBy(event);
		// Reports of one moment all hold the request.
		const asked = opened && [keyOf(task), opened.id, opened.since].join("\0");
		if (opened && !this.#asked.has(asked)) {
			this.#asked.add(asked);
			return [{ kind: "attention", task, words: opened.text, request: opened.id }];
		}
		if (task.late) return [];
		if (task.status === "failed" && !isByPerson(task)) return [{ kind: "failed", task, words: task.error_message ?? "" }];
		if (task.status === "completed" && task.session && !task.parent_task_id) this.#ended.set(sessionOf(task), { task, at });
		return [];
	}

	/** Whether it takes the sessions, as they are now, to say whose turn it is. */
	get isAsking() {
		return this.#ended.size > 0;
	}

	/**
	 * Where the user's turn has come: of sessions as they were read, perhaps before it did.
	 * @param {any[]} sessions Those that have not ended.
	 * @param {number} now
	 * @returns {Alert[]}
	 */
	turns(sessions, now) {
		/** @type {Alert[]} */
		const alerts = [];
		if (!this.isAsking) return alerts;
		const known = new Map(sessions.map((session) => [sessionOf(session), session]));
		for (const [key, { task, at }] of this.#ended) {
			const session = known.get(key);
			const isNews = session?.last_report_at >= at;
			if (isNews || now - Date.parse(at) >= FRESH_MS) this.#ended.delete(key);
			if (isNews && session.state === "your_turn") alerts.push({ kind: "turn", task, words: task.result ?? "" });
		}
		return alerts;
	}

	/** What was heard is not for who looks next. */
	forget() {
		this.#asked.clear();
		this.#ended.clear();
	}
}

/** What one of the same takes the place of. @param {Alert} alert */
export function idOf({ kind, task, request }) {
	return [kind, keyOf(task), request].join("\0");
}

/**
 * Whether what an alert tells is still so: nobody has answered it or seen to it.
 * @param {Alert} alert
 * @param {import("./store.js").Task | undefined} task As it is now.
 */
export function holds({ kind, request }, task) {
	if (!task || isSeenTo(task)) return false;
	if (kind === "attention") return Boolean(task.requests?.some(({ id }) => id === request));
	if (kind === "silent") return isSilent(task);
	return task.status === (kind === "failed" ? "failed" : "completed");
}

/** @param {{project: string, session?: string | null}} of A session, or a task of one. */
function sessionOf({ project, session }) {
	return `${project}\0${session}`;
}
