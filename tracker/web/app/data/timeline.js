// @ts-check
// What a window of time holds: read from the server with some room on both sides, so that small steps
// need no read, and again where more can be told because one has come closer.
import { api } from "./api.js";
import { serverNow } from "./time.js";
import { ENDED, keyOf, store } from "./store.js";

const BINS = 240;
// The least bins of a window: as long as it has them, the range that was read will do.
const IN_WINDOW = 60;

/** @typedef {{agent: string | null, agents: number, total: number, failed: number, running: number[], completed: number[], failures: number[]}} Track */

export class TimelineData {
	#project;
	#filters;
	/** @type {any} */
	#read = null;

	/**
	 * @param {string} project Empty: of all.
	 * @param {Record<string, string>} filters Of tasks, by the API's names.
	 */
	constructor(project, filters) {
		this.#project = project;
		this.#filters = filters;
	}

	/** Whether what was read tells of this window all that it can. */
	covers(from, to) {
		const read = this.#read;
		return read !== null && read.from <= from && to <= read.to
			&& (read.intervals !== null || read.width * IN_WINDOW <= to - from);
	}

	/** Throws what the API throws. */
	async read(from, to) {
		const room = (to - from) / 2;
		const [begin, end] = [Math.max(0, Math.floor(from - room)), Math.ceil(to + room)];
		const query = { ...this.#filters, from: new Date(begin).toISOString(), to: new Date(end).toISOString(), bins: BINS };
		const { agents, others, intervals, left_out: leftOut, bin_seconds: width, total } =
			await api.timeline(this.#project ? { ...query, project: this.#project } : query);
		this.#read = { from: begin, to: end, width: width * 1000, agents, others, intervals, leftOut, total };
	}

	get isRead() {
		return this.#read !== null;
	}

	/** How many tasks it knows of, and of how many no more than that there are. */
	get counts() {
		return { total: this.#read?.total ?? 0, leftOut: this.#read?.leftOut ?? 0 };
	}

	/** The tasks of a window as they are now; null: there are too many. */
	bars(from, to) {
		if (!this.#read?.intervals) return null;
		return this.#read.intervals.map((interval) => {
			const live = store.tasks.get(keyOf(interval));
			const task = live && live.attempt >= interval.attempt ? { ...interval, ...live } : interval;
			const end = task.finished_at && ENDED.has(task.status) ? Date.parse(task.finished_at) : serverNow();
			return {
				task, key: keyOf(task), agent: task.agent, start: Date.parse(task.started_at), end,
				parent: task.parent_task_id ? keyOf({ ...task, task_id: task.parent_task_id }) : null,
			};
		}).filter(({ start, end }) => end >= from && start <= to);
	}

	/** By bin, where tasks are too many; `begin` and `width` of the first bin, in milliseconds. */
	get bins() {
		const { from: begin, width, agents, others } = this.#read;
		const track = (agent, number, { task_stats: { total, failed }, running, completed, failed: failures }) =>
			({ agent, agents: number, total, failed, running, completed, failures });
		/** @type {Track[]} */
		const tracks = agents.map((one) => track(one.agent, 1, one)).sort((a, b) => a.agent.localeCompare(b.agent));
		if (others.agents) tracks.push(track(null, others.agents, others));
		return { begin, width, tracks };
	}

	/** Where time begins and ends for whoever wants to see all of it; null: there is nothing yet. */
	async ends() {
		const ask = (order) => {
			const query = { ...this.#filters, limit: 1, sort_by: "started_at", sort_order: order };
			return this.#project ? api.tasks(this.#project, query) : api.allTasks(query);
		};
		const [{ tasks: [newest] }, { tasks: [oldest] }] = await Promise.all([ask("desc"), ask("asc")]);
		if (!newest) return null;
		const end = newest.finished_at ? Math.max(Date.parse(newest.finished_at), Date.parse(oldest.finished_at ?? newest.finished_at)) : serverNow();
		return { start: Date.parse(oldest.started_at), end };
	}
}
