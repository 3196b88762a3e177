// @ts-check
// Tasks of a project, or of all, as a table of any length: pages are read as they come into sight.
import { h, paths, setQuery, t, text } from "../lib/index.js";
import { keepList, keyOf, nextFailed, order, readList, store } from "../data/index.js";
import { costOf, failed, renew } from "../parts/index.js";
import { reach } from "../parts/failures.js";
import { sidePanel } from "../parts/side-panel.js";
import { TaskRow } from "./task-row.js";

const PAGE = 100;
const COLUMNS = [
	["status", null], ["title", "title"], ["agent", null], ["progress", null],
	["started", "started_at"], ["duration", "duration_seconds"], ["used", null],
];

class TaskTable extends HTMLElement {
	project = "";
	filters = {};
	#pages = new Map();
	#reading = new Map();
	#run = 0;
	// How many tasks have come since the rows were numbered: with the newest first, each moves what
	// the server numbers by one.
	#total = 0;
	#moved = 0;
	#list = h("virtual-list", { role: "rowgroup" });
	#news = h("button.button.table-news", { type: "button", hidden: true });
	#none = h("div", { role: "row" }, h("p.empty-note", { role: "cell" }, t("project.none")));
	#sort = { by: "started_at", order: "desc" };
	#head = h("div.table-head", { role: "row" });
	#sight = [0, 0];

	connectedCallback() {
		const query = new URLSearchParams(location.search);
		this.#sort = { by: query.get("sort_by") ?? "started_at", order: query.get("sort_order") ?? "desc" };
		this.#list.rowHeight = matchMedia("(max-width: 760px)").matches ? 64 : 44;
		this.#list.makeRow = () => new TaskRow();
		this.#list.showRow = (row, index) => row.show(this.#taskAt(index));
		this.#list.onrange = (first, last) => {
			this.#sight = [first, last];
			this.#need().catch((error) => failed(this, error));
		};
		this.#news.addEventListener("click", () => {
			this.#list.scrollTop = 0;
			this.refresh();
		});
		this.#none.hidden = true;
		this.#showHead();
		this.setAttribute("role", "table");
		this.setAttribute("aria-label", t("project.table"));
		this.append(h("div", { role: "rowgroup" }, this.#head), this.#list, this.#none, this.#news);
	}

	/** At the top, new tasks come in by themselves; further down nothing moves under the reader. */
	async read() {
		if (!this.#pages.size || this.#list.atTop) await this.#read(0, this.#pages.size > 0);
		else await this.#count();
		await this.#need();
	}

	/** Read everything again from the server. */
	refresh() {
		this.forget();
		renew(this);
	}

	forget() {
		this.#run++;
		this.#pages.clear();
		this.#reading.clear();
		this.#moved = 0;
		this.#news.hidden = true;
	}

	update() {
		this.#list.refresh();
	}

	tick() {
		this.#list.refresh();
	}

	async #count() {
		const { total } = await this.#ask(0, 1);
		const added = total - this.#total;
		this.#news.hidden = added <= 0;
		text(this.#news, t("project.news", { count: added }));
	}

	#ask(offset, limit) {
		keepList(this.#asList);
		return readList(this.#asList, { offset, limit });
	}

	get #asList() {
		return { project: this.project, filters: this.filters, sort: this.#sort };
	}

	get #newestFirst() {
		return this.#sort.by === "started_at" && this.#sort.order === "desc";
	}

	async #read(page, renew = false) {
		if (this.#reading.has(page)) return;
		const run = this.#run;
		this.#reading.set(page, true);
		try {
			const moved = renew ? 0 : this.#moved;
			const answer = await this.#ask(page * PAGE + moved, PAGE);
			if (run !== this.#run) return;
			this.#reading.delete(page);
			if (renew || this.#pages.size === 0) {
				if (answer.total !== this.#total) this.#pages.clear();
				this.#total = answer.total;
				this.#moved = 0;
			} else if (this.#newestFirst && answer.total - this.#total !== moved) {
				this.#moved = Math.max(0, answer.total - this.#total);
				if (this.#moved !== moved) return this.#read(page);
			}
			if (answer.tasks.some((task) => costOf(task.usage))) this.dataset.used = "";
			this.#pages.set(page, answer.tasks);
		} catch (error) {
			if (run !== this.#run) return;
			this.#reading.delete(page);
			if (error.status !== 404) throw error;
			this.#total = 0;
		}
		this.#none.hidden = this.#total > 0;
		this.setAttribute("aria-rowcount", `${this.#total + 1}`);
		this.#keepFocus(() => (this.#list.count = this.#total));
	}

	/** On the task that has it, wherever its row is then. */
	#keepFocus(change) {
		const held = this.#rows().find((row) => row.contains(document.activeElement))?.key;
		change();
		if (held) this.#rows().find((row) => row.key === held)?.link.focus({ preventScroll: true });
	}

	/** @returns {TaskRow[]} */
	#rows() {
		return [...this.querySelectorAll("task-row")].map((row) => /** @type {TaskRow} */ (row));
	}

	/** What is in sight. */
	async #need() {
		const [first, last] = this.#sight;
		if (!this.#total) return;
		const wanted = [];
		for (let page = Math.floor(first / PAGE); page <= Math.floor((last - 1) / PAGE); page++) {
			if (!this.#pages.has(page)) wanted.push(this.#read(page));
		}
		await Promise.all(wanted);
	}

	#taskAt(index) {
		const task = this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
		return task && (store.tasks.get(keyOf(task)) ?? task);
	}

	/** From the row with the focus, or what the panel shows. @param {1 | -1} step */
	async toFailure(step) {
		const focused = this.#rows().find((row) => row.contains(document.activeElement))?.key;
		const from = store.tasks.get(focused ?? sidePanel.key) ?? null;
		const task = await nextFailed(this.#asList, from, step);
		if (!task) return false;
		const index = await this.#indexOf(task);
		if (index >= 0) {
			this.#list.reveal(index);
			await this.#need();
		}
		const row = this.#rows().find(({ key }) => key === keyOf(task));
		if (row) reach(row.link);
		else if (sidePanel.of) sidePanel.open(paths.task(task.project, task.task_id));
		return true;
	}

	/** Among pages in order; -1: it is not in the list any more. */
	async #indexOf(task) {
		const key = keyOf(task);
		for (let [low, high] = [0, Math.ceil(this.#total / PAGE) - 1]; ;) {
			for (const [page, tasks] of this.#pages) {
				const at = tasks.findIndex((other) => keyOf(other) === key);
				if (at >= 0) return page * PAGE + at;
			}
			if (low > high) return -1;
			const middle = (low + high) >> 1;
			if (!this.#pages.has(middle)) await this.#read(middle);
			const first = this.#pages.get(middle)?.[0];
			if (!first) return -1;
			if (order(this.#sort, first, task) > 0) high = middle - 1;
			else low = middle + 1;
		}
	}

	#showHead() {
		this.#head.replaceChildren(...COLUMNS.map(([name, field]) => {
			const label = t(`column.${name}`);
			const sorted = field && this.#sort.by === field;
			const direction = this.#sort.order === "asc" ? "ascending" : "descending";
			return h(`div.cell-${name}`, { role: "columnheader", "aria-sort": sorted ? direction : null },
				field ? h("button.sort", { type: "button", onclick: () => this.#sortBy(field) }, label) : label);
		}));
	}

	#sortBy(field) {
		const order = this.#sort.by === field && this.#sort.order === "desc" ? "asc" : "desc";
		this.#sort = { by: field, order };
		setQuery({ sort_by: field, sort_order: order });
		this.#showHead();
		this.#list.scrollTop = 0;
		this.refresh();
	}
}

customElements.define("task-table", TaskTable);
