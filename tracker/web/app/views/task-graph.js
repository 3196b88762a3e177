// @ts-check
// What a task started, and what started it.
import { h, keyed, t } from "../lib/index.js";
import { api, keyOf, store } from "../data/index.js";

const MOST_OF_SESSION = 200;

/** @typedef {import("../data/store.js").Task} Task */

class TaskGraph extends HTMLElement {
	#list = h("div.lines", { role: "list", "aria-label": t("task.subtasks") });
	#show = keyed(this.#list, () => h("task-line"), (line, task) => (line.task = task));

	connectedCallback() {
		if (!this.firstChild) this.append(this.#list);
	}

	/** @param {Task} task Of which what it started may have changed. */
	async load({ project, task_id, session }) {
		if (!session) return;
		const { tasks } = await api.tasks(project, { session, limit: MOST_OF_SESSION });
		const own = tasks.filter((task) => task.parent_task_id === task_id).map((task) => store.merge({ project, ...task }));
		this.#show(own.reverse(), keyOf);
	}
}

customElements.define("task-graph", TaskGraph);
