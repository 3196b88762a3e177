// @ts-check
// A list's tasks by their number in it, of which a page is read when it is needed.
import { keyOf, order, readList, store } from "../data/index.js";

const PAGE = 100;

/** @typedef {import("../data/store.js").Task} Task */

export class TaskPages {
	/** How many there are in all. */
	total = 0;
	/** @type {() => import("../data/list.js").List} */
	#list;
	#onRead;
	/** @type {Map<number, Task[]>} */
	#pages = new Map();
	#reading = new Map();
	#run = 0;
	// How many tasks have come since the rows were numbered: with the newest first, each moves what
	// the server numbers by one.
	#moved = 0;

	/** @param {() => import("../data/list.js").List} list @param {() => void} onRead */
	constructor(list, onRead) {
		this.#list = list;
		this.#onRead = onRead;
	}

	get isEmpty() {
		return !this.#pages.size;
	}

	/** All that have been read. */
	get loaded() {
		return [...this.#pages.values()].flat();
	}

	forget() {
		this.#run++;
		this.#pages.clear();
		this.#reading.clear();
		this.#moved = 0;
	}

	/** @returns {Task | undefined} As it is now. */
	at(index) {
		const task = this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
		return task && (store.tasks.get(keyOf(task)) ?? task);
	}

	/** How many there are more than when the first page was read. */
	async countNew() {
		const { total } = await readList(this.#list(), { offset: 0, limit: 1 });
		return total - this.total;
	}

	/** Read those from `first` on, before `last`, that are not known. */
	async need(first, last) {
		if (!this.total) return;
		const wanted = [];
		for (let page = Math.floor(first / PAGE); page <= Math.floor((last - 1) / PAGE); page++) {
			if (!this.#pages.has(page)) wanted.push(this.#read(page));
		}
		await Promise.all(wanted);
	}

	/** The first page, again if it is known: it tells how many there are. */
	readFirst() {
		return this.#read(0, !this.isEmpty);
	}

	async #read(page, renew = false) {
		if (this.#reading.has(page)) return this.#reading.get(page);
		const reading = this.#readNow(page, renew);
		this.#reading.set(page, reading);
		try {
			await reading;
		} finally {
			if (this.#reading.get(page) === reading) this.#reading.delete(page);
		}
	}

	async #readNow(page, renew) {
		const run = this.#run;
		const moved = renew ? 0 : this.#moved;
		try {
			const { tasks, total } = await readList(this.#list(), { offset: page * PAGE + moved, limit: PAGE });
			if (run !== this.#run) return;
			if (renew || this.isEmpty) {
				if (total !== this.total) this.#pages.clear();
				this.total = total;
				this.#moved = 0;
			} else if (this.#isNewestFirst && total - this.total !== moved) {
				this.#moved = Math.max(0, total - this.total);
				if (this.#moved !== moved) return this.#readNow(page, false);
			}
			this.#pages.set(page, tasks);
		} catch (error) {
			if (run !== this.#run) return;
			if (error.status !== 404) throw error;
			this.total = 0;
		}
		this.#onRead();
	}

	get #isNewestFirst() {
		const { by, order: direction } = this.#list().sort;
		return by === "started_at" && direction === "desc";
	}

	/** The number of a task among those that have been read; -1: it is not. */
	indexOfLoaded(key) {
		for (const [page, tasks] of this.#pages) {
			const at = tasks.findIndex((task) => keyOf(task) === key);
			if (at >= 0) return page * PAGE + at;
		}
		return -1;
	}

	/** The number of a task, which is looked for by halves; -1: it is not in the list any more. */
	async indexOf(task) {
		for (let [low, high] = [0, Math.ceil(this.total / PAGE) - 1]; ;) {
			const at = this.indexOfLoaded(keyOf(task));
			if (at >= 0 || low > high) return at;
			const middle = (low + high) >> 1;
			if (!this.#pages.has(middle)) await this.#read(middle);
			const first = this.#pages.get(middle)?.[0];
			if (!first) return -1;
			if (order(this.#list().sort, first, task) > 0) high = middle - 1;
			else low = middle + 1;
		}
	}
}
