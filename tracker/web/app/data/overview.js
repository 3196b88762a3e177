// @ts-check
// What goes on over all projects: read once for the frame around the views and for Now, and again
// after events, but not at each of them.
import { access } from "./access.js";
import { api } from "./api.js";
import { renewal } from "./renewal.js";
import { ENDED, isByPerson, isSeenTo, isSilent, isWaiting, store } from "./store.js";
import { mayJudge, onTick, serverNow } from "./time.js";

const READ_EVERY = 3000;
// Events tell nearly all of what is counted.
const COUNT_EVERY = 10_000;
// No event tells that a task is overdue by now, or that a day is over.
const READ_TICKS = 60;
// What is read at most; of more, the counts are the server's.
export const ACTIVE = 500;
const LATELY = 200;
const SESSIONS = 50; // early.js asks for the same
const PROJECTS = 9;
/** How long a failure is news, and the same as the API's `since`. */
const NEWS_MS = 24 * 3600 * 1000;
export const NEWS = "24h";

/** Of the viewer's day: tasks completed and failed, and, once read, what those that were under way have used. */
function nothingToday() {
	return { completed: 0, failed: 0, usage: undefined };
}

class Overview {
	isRead = false;
	/** Agents' sessions that have not ended. */
	sessions = [];
	/** Those with the newest activity, and how many there are. */
	projects = [];
	projectsTotal = 0;
	today = nothingToday();
	#failedBeyond = 0;
	#silent = 0;
	/** @type {Promise<void> | null} */
	#reading = null;
	#isAllActive = true;
	#listeners = new Set();
	#undo = [];
	#ticks = 0;
	#notify = () => this.#listeners.forEach((listener) => listener());
	#isCounted = false;
	#tell = (error) => this.#listeners.forEach((listener) => listener(error));
	// What fails here is tried again: by whoever shows it, by the next event, when the server is back.
	#readSoon = renewal(() => this.#undo.length && this.read().catch(this.#tell), READ_EVERY);
	#countSoon = renewal(() => this.#undo.length && this.#readCounts(() => this.isRead).catch(this.#tell), COUNT_EVERY);

	start() {
		this.stop();
		this.#undo = [
			store.subscribe((events, isNews) => {
				if (!events) this.#forget();
				else if (isNews) this.#notify();
				this.#readSoon();
			}),
			store.whenBack(() => this.#readSoon()),
			onTick(() => {
				if (++this.#ticks % READ_TICKS === 0) this.#readSoon();
			}),
		];
		this.#readSoon();
	}

	stop() {
		for (const undo of this.#undo) undo();
		this.#undo = [];
		this.#forget();
	}

	/** What is on its way is of another log, or for somebody else, as is what is there. */
	#forget() {
		this.isRead = false;
		this.#isCounted = false;
		this.#reading = null;
		this.sessions = [];
		this.projects = [];
		this.projectsTotal = 0;
		this.today = nothingToday();
		this.#failedBeyond = 0;
	}

	/** Hear of each change but words, as often as the page shows events; and with the error, of a read that has failed. */
	listen(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Throws what the API throws. */
	read() {
		if (this.#reading) return this.#reading;
		const reading = this.#read(() => reading === this.#reading).finally(() => {
			if (reading === this.#reading) this.#reading = null;
		});
		this.#reading = reading;
		return reading;
	}

	/** First what there is to see at once, and who may do what with it; then what is counted. */
	async #read(isWanted) {
		const [{ today, active, ended }, { sessions }] = await Promise.all([
			api.now(), api.sessions({ active: true, limit: SESSIONS }), access() ?? api.info(),
		]);
		if (!isWanted()) return;
		this.sessions = sessions;
		this.today = { ...this.today, ...today };
		// The last task of a turn may have ended before all these: events tell who has seen to it.
		const turns = this.turns.flatMap(({ last_task }) => last_task ?? []);
		for (const task of [...active, ...ended, ...turns]) store.merge(task);
		this.#isAllActive = active.length < ACTIVE;
		this.isRead = true;
		this.#notify();
		if (this.#isCounted) this.#countSoon();
		else await this.#readCounts(isWanted);
	}

	async #readCounts(isWanted) {
		const midnight = new Date(new Date(serverNow()).setHours(0, 0, 0, 0)).toISOString();
		const [{ projects, total }, lately, day] = await Promise.all([
			api.projects({ limit: PROJECTS }),
			api.allTasks({ status: "failed,running,pending", since: NEWS, figures: 1, limit: LATELY }),
			api.allTasks({ since: midnight, figures: 1, limit: 1 }),
		]);
		if (!isWanted()) return;
		this.#isCounted = true;
		// Of these the list alone tells what they have used, and what failed before what ended last.
		for (const task of lately.tasks) store.merge(task);
		const listed = lately.tasks.filter(({ status }) => status === "failed").length;
		this.#failedBeyond = lately.figures.task_stats.failed - listed;
		this.projects = projects;
		this.projectsTotal = total;
		this.today = { ...this.today, usage: day.figures.usage };
		this.#notify();
	}

	/** @returns {import("./store.js").Task[]} */
	get active() {
		return [...store.tasks.values()].filter(({ status }) => !ENDED.has(status));
	}

	/** Sessions that wait for their user's next prompt. */
	get turns() {
		return this.sessions.filter(({ state }) => state === "your_turn");
	}

	/** What has failed lately, and nobody has seen to. @returns {import("./store.js").Task[]} */
	get failed() {
		const since = new Date(serverNow() - NEWS_MS).toISOString();
		return [...store.tasks.values()].filter((task) => task.status === "failed" && (task.finished_at ?? "") >= since
			&& !isByPerson(task) && !isSeenTo(task));
	}

	/** How many run, and of those that nobody has seen to, how many wait for a person, are silent, have failed lately. */
	get counts() {
		const { active } = this;
		const running = active.filter(({ status }) => status === "running");
		if (mayJudge()) this.#silent = running.filter((task) => isSilent(task) && !isSeenTo(task)).length;
		return {
			running: running.length,
			waiting: active.filter((task) => isWaiting(task) && !isSeenTo(task)).length,
			silent: this.#silent,
			failed: this.failed.length + this.#failedBeyond,
			isAll: this.#isAllActive,
		};
	}
}

export const overview = new Overview();
