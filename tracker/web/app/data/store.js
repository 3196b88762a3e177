// @ts-check
// What this page knows: tasks by (project, task_id), and the newest events. Snapshots and events
// both lead here, in any order; the newer word on a task stands.
import { heardUntil, serverNow } from "./time.js";

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
 * @property {string | null} [session]
 * @property {string | null} [parent_task_id]
 * @property {string | null} [attention]
 * @property {string | null} [attention_since]
 * @property {OpenRequest[]} [requests]
 * @property {string | null} [silent_since]
 * @property {string | null} [acknowledged_at]
 * @property {string | null} [snoozed_until]
 * @property {boolean} [overdue]
 * @property {boolean} [blocked]
 * @property {string | null} [finished_at]
 * @property {number | null} [duration_seconds]
 * @property {string | null} [message]
 * @property {string | null} [result]
 * @property {string | null} [error_type]
 * @property {string | null} [error_message]
 * @property {string | null} [stack_trace]
 * @property {Record<string, any> | null} [metadata]
 * @property {import("../parts/usage.js").Amounts | null} [usage]
 * @property {import("../parts/usage.js").Amounts | null} [usage_total] With that of all it has started.
 *
 * @typedef {{id: string, text: string, since: string}} OpenRequest What a task needs a person for.
 * @typedef {Task & {late?: boolean, truncated?: boolean, occurred_at?: string, reported_status?: string, reported_progress?: number}} Report
 * @typedef {{id: number, type: string, data: Report, timestamp: string}} LogEvent That of a project's deletion has no task.
 */

const MAX_EVENTS = 2000;
const MAX_TASKS = 5000;

export const STATUSES = ["pending", "running", "completed", "failed"];
export const ENDED = new Set(["completed", "failed"]);

/** @param {Pick<Task, "project" | "task_id">} task */
export function keyOf(task) {
	return `${task.project}\0${task.task_id}`;
}

/**
 * A running task that was not heard of for long, as the server tells: perhaps stuck, not failed.
 * @param {Task} task
 */
export function isSilent(task) {
	return task.status === "running" && Boolean(task.silent_since);
}

/**
 * A task that goes on, or well, only once a person has seen to it.
 * @param {Task} task
 */
export function isWaiting(task) {
	return !ENDED.has(task.status) && Boolean(task.attention);
}

/**
 * The status as shown: waiting for a person, and silence, are what the page adds to the server's four.
 * @param {Task} task
 */
export function shownStatus(task) {
	return isWaiting(task) ? "waiting" : isSilent(task) ? "silent" : task.status;
}

/**
 * Time makes a task overdue, and no event tells of it: where the estimate is known, the page counts, while it would hear of the task's end.
 * @param {Task} task
 */
export function isOverdue({ status, overdue, metadata, started_at }) {
	const estimate = metadata?.estimated_duration;
	const isPast = typeof estimate === "number" && Date.parse(started_at) + 1000 * estimate < heardUntil();
	return status === "running" && (overdue || isPast);
}

/** @param {Task} task */
export function isBlocked(task) {
	return task.status === "pending" && Boolean(task.blocked);
}

/**
 * Whether somebody has acknowledged it, or put it off until later.
 * @param {Pick<Task, "acknowledged_at" | "snoozed_until">} task
 */
export function isSeenTo({ acknowledged_at: seen, snoozed_until: until }) {
	return Boolean(seen) || Boolean(until && Date.parse(until) > serverNow());
}

const BY_PEOPLE = new Set(["Interrupted", "FailedByHand"]);

/**
 * Whether a person has ended it so.
 * @param {Pick<Task, "error_type">} task
 */
export function isByPerson({ error_type: type }) {
	return BY_PEOPLE.has(type ?? "");
}

/**
 * The request that this very report opened, if any: it is open since what the report told happened.
 * @param {LogEvent} event
 */
export function openedBy({ data, timestamp }) {
	return data.requests?.findLast(({ since }) => since === (data.occurred_at ?? timestamp));
}

/**
 * What an event says of its task whatever its report was: of a late one, title and message are older.
 * @param {Report} data
 */
function stateIn(data) {
	const { status, progress, attempt, started_at, finished_at = null, duration_seconds = null } = data;
	const { attention = null, attention_since = null, requests = [], silent_since = null } = data;
	const { acknowledged_at = null, snoozed_until = null } = data;
	return {
		status, progress, attempt, started_at, finished_at, duration_seconds,
		attention, attention_since, requests, silent_since, acknowledged_at, snoozed_until,
	};
}

/** Events that no report became: they tell of the task's state alone. */
export const NO_REPORTS = new Set(["task_silent", "task_acknowledged", "task_snoozed", "task_deleted", "project_deleted"]);

export const DELETIONS = new Set(["task_deleted", "project_deleted"]);

/**
 * Whether a task went by what these events tell.
 * @param {LogEvent[]} events
 * @param {Pick<Task, "project" | "task_id">} task
 */
export function areDeletionsOf(events, { project, task_id }) {
	return events.some(({ type, data }) => DELETIONS.has(type) && data.project === project
		&& (data.task_id ?? task_id) === task_id);
}

/** What a task, or the report that told of it, has beside the task's state. */
const WORDS = new Set([
	"progress", "message", "updated_at", "metadata", "usage", "usage_total", "duration_seconds",
	"occurred_at", "reported_progress", "reported_status", "truncated",
]);

/**
 * Whether a task is as it was but for what it has said, of its plan nothing.
 * @param {Task} before
 * @param {Task | undefined} now
 */
function goesOn(before, now) {
	return now !== undefined && Object.keys(now).every((name) => WORDS.has(name) || isSame(before[name], now[name]))
		&& before.metadata?.estimated_duration === now.metadata?.estimated_duration;
}

/** Of values as JSON has them: one that is not there is none. */
function isSame(a, b) {
	return (a ?? null) === (b ?? null) || (typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}

class Store {
	/** @type {Map<string, Task>} */
	tasks = new Map();
	/** @type {LogEvent[]} */
	events = [];
	/** When tasks, and under no task's id projects, were deleted last. @type {Map<string, string>} */
	#deleted = new Map();
	#listeners = new Set();
	#waiting = new Set();

	/**
	 * `listener(events, isNews)` after each batch; `events` is null when everything has to be read again.
	 * `isNews`: whether a task has come, gone, or is in another state. Otherwise those that were under way
	 * said how far they are, no more.
	 */
	subscribe(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** `listener()` whenever the server can be reached again. */
	whenBack(listener) {
		this.#waiting.add(listener);
		return () => this.#waiting.delete(listener);
	}

	back() {
		for (const listener of this.#waiting) listener();
	}

	/**
	 * Take a task from a snapshot unless an event has told newer things; returns what stands.
	 * @param {Task} task
	 */
	merge(task) {
		const key = keyOf(task);
		const known = this.tasks.get(key);
		if (known && known.updated_at > task.updated_at) return known;
		if (this.#isDeleted(task)) return task;
		const merged = { ...known, ...task };
		this.tasks.set(key, merged);
		return merged;
	}

	/**
	 * A batch of events, in the order of the log.
	 * @param {LogEvent[]} events
	 */
	apply(events) {
		let isNews = false;
		for (const event of events) {
			const before = this.tasks.get(keyOf(event.data));
			if (DELETIONS.has(event.type)) this.#drop(event);
			else if (event.data.task_id) this.#applyOne(event);
			isNews ||= !before || !goesOn(before, this.tasks.get(keyOf(event.data)));
		}
		this.events.push(...events);
		if (this.events.length > MAX_EVENTS * 1.5) this.events = this.events.slice(-MAX_EVENTS);
		if (this.tasks.size > MAX_TASKS) this.#forgetEnded();
		this.#notify(events, isNews);
	}

	/** @param {LogEvent} event */
	#drop({ data: { project, task_id = "" }, timestamp }) {
		if (task_id) this.tasks.delete(keyOf({ project, task_id }));
		else for (const [key, task] of this.tasks) if (task.project === project) this.tasks.delete(key);
		this.#deleted.set(keyOf({ project, task_id }), timestamp);
		if (this.#deleted.size > MAX_TASKS) this.#deleted.delete(/** @type {string} */ (this.#deleted.keys().next().value));
	}

	/** Whether a snapshot was read before the task was deleted. */
	#isDeleted({ project, task_id, updated_at }) {
		return [task_id, ""].some((id) => (this.#deleted.get(keyOf({ project, task_id: id })) ?? "") >= updated_at);
	}

	/** The log could not be followed: views read their snapshots again. */
	reset() {
		this.tasks.clear();
		this.#deleted.clear();
		this.events = [];
		this.#notify(null);
	}

	#notify(events, isNews = true) {
		for (const listener of this.#listeners) listener(events, isNews);
	}

	/** @param {LogEvent} event */
	#applyOne({ type, data, timestamp }) {
		const key = keyOf(data);
		const known = this.tasks.get(key);
		// An event that a snapshot holds tells nothing new.
		if (known && known.updated_at > timestamp) return;
		if (data.late || NO_REPORTS.has(type)) {
			if (known) this.tasks.set(key, { ...known, ...stateIn(data) });
			return;
		}
		// What a report has told of usage is not what the task has used in all.
		const { metadata, message, result, error_type, error_message, usage: _, ...rest } = data;
		/** @type {Task} */
		const task = { ...stateIn(data), ...rest, updated_at: timestamp };
		if (metadata) task.metadata = { ...known?.metadata, ...metadata };
		const newAttempt = !known || known.attempt !== data.attempt;
		if (newAttempt || metadata?.estimated_duration !== undefined) task.overdue = false;
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
