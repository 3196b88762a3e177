// @ts-check
// What goes on over all projects: read once for the frame around the views and for Now, and again
// after events, but not at each of them.
import { throttle } from "../lib/throttle.js";
import { api } from "./api.js";
import { ENDED, isSilent, isWaiting, keyOf, store } from "./store.js";
import { onTick, serverNow } from "./time.js";

const READ_EVERY = 3000;
// No event tells that a task is overdue by now, that one it waited for was deleted, or that a day is over.
const READ_TICKS = 60;
// What is read at most; of more, the counts are the server's.
export const ACTIVE = 500;
const FAILED = 200;
const SESSIONS = 50;
const PROJECTS = 9;
/** How long a failure is news, and the same as the API's `since`. */
const NEWS_MS = 24 * 3600 * 1000;
export const NEWS = "24h";



class Overview {
	isRead = false;
	/** Agents' sessions that have not ended. */
	sessions = [];
	/** Those with the newest activity, and how many there are. */
	projects = [];
	projectsTotal = 0;
	/** Of the viewer's day: tasks completed and failed, and what those that were under way have used. */
	today = { completed: 0, failed: 0, usage: null };
	#failedBeyond = 0;
	#isAllActive = true;
	#listeners = new Set();
	#undo = [];
	#ticks = 0;
	#notify = throttle(() => this.#listeners.forEach((listener) => listener()), 100);
	#readSoon = throttle(() => this.#undo.length && this.read().catch(() => null), READ_EVERY);

	start() {
		this.stop();
		this.#undo = [
			store.subscribe((events) => {
				if (events) this.#notify();
				else this.isRead = false;
				this.#readSoon();
			}),
			onTick(() => {
				if (++this.#ticks % READ_TICKS === 0) this.#readSoon();
			}),
		];
		this.#readSoon();
	}

	stop() {
		for (const undo of this.#undo) undo();
		this.#undo = [];
		this.isRead = false;
	}

	/** Hear of each change, a few times a second at most. */
	listen(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Throws what the API throws. */
	async read() {
		const since = new Date(serverNow() - 2000).toISOString();
		const midnight = new Date(new Date(serverNow()).setHours(0, 0, 0, 0)).toISOString();
		const [{ active, ended }, { sessions }, projects, failed, day] = await Promise.all([
			api.now(), api.sessions({ active: true, limit: SESSIONS }), api.projects({ limit: PROJECTS }),
			api.allTasks({ status: "failed", since: NEWS, limit: FAILED }),
			api.allTasks({ since: midnight, figures: 1, limit: 1 }),
		]);
		const known = new Set([...active, ...ended, ...failed.tasks].map((task) => keyOf(store.merge(task))));
		this.#isAllActive = active.length < ACTIVE;
		if (this.#isAllActive) store.dropActive((task) => task.updated_at < since && !known.has(keyOf(task)));
		this.#failedBeyond = failed.total - failed.tasks.length;
		this.sessions = sessions;
		this.projects = projects.projects;
		this.projectsTotal = projects.total;
		const { task_stats: counts, usage } = day.figures;
		this.today = { completed: counts.completed, failed: counts.failed, usage };
		this.isRead = true;
		this.#notify();
	}

	/** @returns {import("./store.js").Task[]} */
	get active() {
		return [...store.tasks.values()].filter(({ status }) => !ENDED.has(status));
	}

	/** What has failed lately. @returns {import("./store.js").Task[]} */
	get failed() {
		const since = new Date(serverNow() - NEWS_MS).toISOString();
		return [...store.tasks.values()].filter((task) => task.status === "failed" && (task.finished_at ?? "") >= since);
	}

	/** How many run, wait for a person, are silent, have failed lately. */
	get counts() {
		const { active } = this;
		const running = active.filter(({ status }) => status === "running");
		return {
			running: running.length,
			waiting: active.filter(isWaiting).length,
			silent: running.filter(isSilent).length,
			failed: this.failed.length + this.#failedBeyond,
			isAll: this.#isAllActive,
		};
	}
}

export const overview = new Overview();
