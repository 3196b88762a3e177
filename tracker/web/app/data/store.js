// @ts-check
// What this page knows: tasks by (project, task_id), and the newest events. Snapshots and events
// both lead here, in any order; the newer word on a task stands.
import { serverNow } from "./time.js";

// A running task that has said nothing for so long is silent: perhaps stuck, not failed.
export const SILENT_MS = 15 * 60 * 1000;

/**
 * @typedef {object} Task As the server gives it; lists and events leave out some of it.
 * @property {string} project
 * @property {string} task_id
 * @property {string} title
 * @property {string} agent
 * @property {string} status
 * @property {number} progress
 * @property {number} attempt
 * @property {string} started_at
 * @property {string} updated_at
 * @property {string | null} [finished_at]
 * @property {number | null} [duration_seconds]
 * @property {string | null} [message]
 * @property {string | null} [result]
 * @property {string | null} [error_type]
 * @property {string | null} [error_message]
 * @property {string | null} [stack_trace]
 * @property {Record<string, any> | null} [metadata]
 *
 * @typedef {Task & {late?: boolean, reported_status?: string, reported_progress?: number}} Report
 * @typedef {{id: number, type: string, data: Report, timestamp: string}} LogEvent
 */

const MAX_EVENTS = 2000;
const MAX_TASKS = 5000;

export const STATUSES = ["pending", "running", "completed", "failed"];
export const ENDED = new Set(["completed", "failed"]);

/** @param {Pick<Task, "project" | "task_id">} task */
export function keyOf(task) {
	return `${task.project}\0${task.task_id}`;
}

/** @param {Task} task */
export function isSilent(task, now = serverNow()) {
	return task.status === "running" && now - Date.parse(task.updated_at) > SILENT_MS;
}

/**
 * The status as shown: silence is what the page adds to the server's four.
 * @param {Task} task
 */
export function shownStatus(task) {
	return isSilent(task) ? "silent" : task.status;
}

class Store {
	/** @type {Map<string, Task>} */
	tasks = new Map();
	/** @type {LogEvent[]} */
	events = [];
	#listeners = new Set();

	/** `listener(events)` after each batch; `events` is null when everything has to be read again. */
	subscribe(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/**
	 * Take a task from a snapshot unless an event has told newer things; returns what stands.
	 * @param {Task} task
	 */
	merge(task) {
		const key = keyOf(task);
		const known = this.tasks.get(key);
		if (known && known.updated_at > task.updated_at) return known;
		const merged = { ...known, ...task };
		this.tasks.set(key, merged);
		return merged;
	}

	/**
	 * A batch of events, in the order of the log.
	 * @param {LogEvent[]} events
	 */
	apply(events) {
		for (const event of events) {
			if (event.data.task_id) this.#applyOne(event);
		}
		this.events.push(...events);
		if (this.events.length > MAX_EVENTS * 1.5) this.events = this.events.slice(-MAX_EVENTS);
		if (this.tasks.size > MAX_TASKS) this.#forgetEnded();
		this.#notify(events);
	}

	/** Forget active tasks that a complete snapshot does not hold: they were deleted. */
	dropActive(isGone) {
		for (const [key, task] of this.tasks) {
			if (!ENDED.has(task.status) && isGone(task)) this.tasks.delete(key);
		}
	}

	/** The log could not be followed: views read their snapshots again. */
	reset() {
		this.tasks.clear();
		this.events = [];
		this.#notify(null);
	}

	#notify(events) {
		for (const listener of this.#listeners) listener(events);
	}

	/** @param {LogEvent} event */
	#applyOne({ type, data, timestamp }) {
		const key = keyOf(data);
		const known = this.tasks.get(key);
		// A late report stands in the history only; an event that a snapshot holds tells nothing new.
		if (data.late || (known && known.updated_at > timestamp)) return;
		const { metadata, message, result, error_type, error_message, ...rest } = data;
		/** @type {Task} */
		const task = { finished_at: null, duration_seconds: null, ...rest, updated_at: timestamp };
		if (metadata) task.metadata = { ...known?.metadata, ...metadata };
		const newAttempt = !known || known.attempt !== data.attempt;
		task.message = message ?? (newAttempt ? null : known.message);
		task.result = result ?? (data.status === "completed" && !newAttempt ? known.result : null);
		const failed = data.status === "failed";
		task.error_type = failed ? (error_type ?? null) : null;
		task.error_message = failed ? (error_message ?? null) : null;
		if (type === "task_started" && data.status === "running" && newAttempt) task.message = null;
		this.tasks.set(key, { ...known, ...task });
	}

	#forgetEnded() {
		for (const [key, task] of this.tasks) {
			if (this.tasks.size <= MAX_TASKS * 0.8) return;
			if (ENDED.has(task.status)) this.tasks.delete(key);
		}
	}
}

export const store = new Store();
