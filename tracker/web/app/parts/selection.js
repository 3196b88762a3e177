// @ts-check
// Which tasks of a list are chosen. By their keys: rows come, go and are read anew.
import { keyOf, store } from "../data/index.js";

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {Pick<Task, "project" | "task_id" | "status"> & Partial<Task>} Chosen */

export class Selection {
	/** @type {Map<string, Chosen>} */
	#chosen = new Map();
	#onChange;
	/** The key of the task that was chosen last: ranges begin there. */
	anchor = "";

	/** @param {() => void} onChange */
	constructor(onChange) {
		this.#onChange = onChange;
	}

	get size() {
		return this.#chosen.size;
	}

	/** As they are now. @returns {Chosen[]} */
	get tasks() {
		return [...this.#chosen].map(([key, task]) => store.tasks.get(key) ?? task);
	}

	/** Enough to choose them again. Titles are not for whoever signs in next. */
	get names() {
		return this.tasks.map(({ project, task_id, status }) => ({ project, task_id, status }));
	}

	/** @param {string} key */
	has(key) {
		return this.#chosen.has(key);
	}

	/** @param {Chosen[]} tasks @param {boolean} isChosen */
	set(tasks, isChosen) {
		for (const task of tasks) {
			if (isChosen) this.#chosen.set(keyOf(task), task);
			else this.#chosen.delete(keyOf(task));
		}
		this.#onChange();
	}

	clear() {
		this.anchor = "";
		this.#chosen.clear();
		this.#onChange();
	}
}
