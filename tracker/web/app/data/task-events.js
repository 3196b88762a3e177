// @ts-check
// The events of one task: the newest come with it, older ones a page at a time, new ones as they happen.
import { api } from "./api.js";

const PAGE = 500;

export class TaskEvents {
	/** @type {import("./store.js").LogEvent[]} Oldest first, without a gap up to the newest. */
	all = [];
	/** Whether nothing is older than these. */
	isWhole = false;
	#of;
	/** @type {Promise<void> | null} */
	#reading = null;

	/** @param {string} project @param {string} task_id */
	constructor(project, task_id) {
		this.#of = { project, task_id };
	}

	/** The newest, as they come with the task; what is known of before and after them stays. */
	take(newest) {
		const [first, last] = [newest[0]?.id ?? 0, newest.at(-1)?.id ?? 0];
		const older = this.all.filter(({ id }) => id < first);
		this.all = [...older, ...newest, ...this.all.filter(({ id }) => id > last)];
	}

	/** Those that have just happened. */
	add(events) {
		const newest = this.all.at(-1)?.id ?? 0;
		this.all.push(...events.filter(({ id }) => id > newest));
	}

	/** Begin again: the log is another. */
	forget() {
		this.all = [];
		this.isWhole = false;
	}

	/** Read one page more of the older ones; throws what the API throws. */
	readOlder() {
		this.#reading ??= this.#read().finally(() => (this.#reading = null));
		return this.#reading;
	}

	async #read() {
		const first = this.all[0]?.id;
		if (this.isWhole || first === undefined) return;
		const { events } = await api.events({ ...this.#of, newest: PAGE, before: first });
		if (this.all[0]?.id !== first) return; // begun again meanwhile
		// A page ends early where its events are large: only an empty one says that there are no more.
		if (events.length) this.all = [...events, ...this.all];
		else this.isWhole = true;
	}

	/** Read until nothing is older; `onPage` after each page. */
	async readAll(onPage = () => {}, isWanted = () => true) {
		while (!this.isWhole && this.all.length && isWanted()) {
			await this.readOlder();
			onPage();
		}
	}
}
