// @ts-check
// A project's tasks as a board: a column for each status, its newest tasks in it.
import { h, keyed, number, t, text } from "../lib/index.js";
import { api, keyOf, STATUSES, store } from "../data/index.js";
import { status, unlessUnknown } from "../parts/index.js";

const SHOWN = 50;

class TaskBoard extends HTMLElement {
	project = "";
	filters = {};
	#columns = Object.fromEntries(STATUSES.map((name) => [name, new Column(name)]));

	connectedCallback() {
		this.append(h("div.board-columns", Object.values(this.#columns).map((column) => column.element)));
	}

	async read() {
		const { status: only, ...filters } = this.filters;
		await Promise.all(STATUSES.map(async (name) => {
			const column = this.#columns[name];
			column.element.hidden = Boolean(only) && !only.split(",").includes(name);
			if (column.element.hidden) return;
			const query = { ...filters, status: name, limit: SHOWN };
			const { tasks, total } = await api.tasks(this.project, query).catch(unlessUnknown);
			column.show(tasks.map((task) => store.merge({ ...task, project: this.project })), total);
		}));
	}

	/** What is shown stays until the next read. */
	forget() {}

	choose(filters) {
		this.filters = filters;
	}

	update() {
		for (const column of Object.values(this.#columns)) column.refresh();
	}

	tick() {
		for (const column of Object.values(this.#columns)) column.refresh();
	}
}

class Column {
	#name;
	#count = h("span.board-count");
	#lines = h("div.lines", { role: "list" });
	#none = h("p.empty-note", t("board.none"));
	#tasks = [];
	#show = keyed(this.#lines, () => h("task-line"), (line, task) => (line.task = task));

	constructor(name) {
		this.#name = name;
		const words = t(`status.${name}`);
		this.element = h(`section.board-column.board-${name}`, { "aria-label": words },
			h("h2.board-title", status(name), this.#count), this.#lines, this.#none);
	}

	show(tasks, total) {
		this.#tasks = tasks.map(keyOf);
		this.#none.hidden = tasks.length > 0;
		text(this.#count, number(total));
		this.refresh();
	}

	/** What has left the column by an event leaves it at once; the rest comes with the next read. */
	refresh() {
		const tasks = this.#tasks.map((key) => store.tasks.get(key));
		this.#show(tasks.filter((task) => task?.status === this.#name), keyOf);
	}
}

customElements.define("task-board", TaskBoard);
