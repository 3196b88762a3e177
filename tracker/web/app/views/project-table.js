// @ts-check
// Tasks of a project, or of all, as a table of any length: pages are read as they come into sight.
import { duration, h, isolate, number, paths, setQuery, t, text } from "../lib/index.js";
import { api, keyOf, shownStatus, store } from "../data/index.js";
import { cell, costOf, failed, notesOf, progressBar, renew, showStatus, summaryOf, timeShown } from "../parts/index.js";

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
		const query = { ...this.filters, offset, limit, sort_by: this.#sort.by, sort_order: this.#sort.order };
		return this.project ? api.tasks(this.project, query) : api.allTasks(query);
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
			this.#pages.set(page, answer.tasks.map((task) => store.merge({ ...task, project: task.project ?? this.project })));
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
		if (held) this.#rows().find((row) => row.key === held)?.focusLink();
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

class TaskRow extends HTMLElement {
	#status = cell("cell-status");
	#link = h("a.row-link", { "data-row": "" }, isolate(""));
	#notes = h("span.row-notes");
	#words = isolate("");
	#agent = isolate("");
	#bar = progressBar();
	#percent = h("span");
	#started = timeShown("", "clock");
	#duration = cell("cell-duration");
	#elapsed = timeShown("", "elapsed");
	#used = cell("cell-used");
	#project = h("bdi.row-project", { dir: "auto" });
	key = "";

	connectedCallback() {
		if (this.firstChild) return;
		this.className = "table-row";
		this.setAttribute("role", "row");
		this.append(
			this.#status,
			cell("cell-title", this.#link, h("div.row-words", this.#project, this.#notes, this.#words)),
			cell("cell-agent", this.#agent),
			cell("cell-progress", this.#bar.element, this.#percent),
			cell("cell-started", this.#started),
			this.#duration,
			this.#used,
		);
	}

	focusLink() {
		this.#link.focus({ preventScroll: true });
	}

	show(task) {
		this.classList.toggle("is-loading", !task);
		this.key = task ? keyOf(task) : "";
		if (!task) {
			this.#link.removeAttribute("href");
			return;
		}
		text(this.#project, this.closest("tasks-view") ? task.project : "");
		const shown = shownStatus(task);
		this.dataset.status = shown;
		showStatus(this.#status, shown);
		this.#link.setAttribute("href", paths.task(task.project, task.task_id));
		text(this.#link.firstChild, task.title);
		text(this.#notes, notesOf(task).join(" · "));
		text(this.#words, summaryOf(task) || task.task_id);
		text(this.#agent, task.agent);
		const percent = `${number(task.progress)} %`;
		this.#bar.update(task.progress, `${t("task.progress")}: ${percent}`);
		text(this.#percent, task.status === "completed" ? "" : percent);
		text(this.#used, costOf(task.usage));
		this.#started.setAttribute("at", task.started_at);
		if (task.finished_at) text(this.#duration, duration(task.duration_seconds ?? 0));
		else {
			this.#elapsed.setAttribute("at", task.started_at);
			if (this.#elapsed.parentNode !== this.#duration) this.#duration.replaceChildren(this.#elapsed);
		}
	}
}

customElements.define("task-row", TaskRow);
customElements.define("task-table", TaskTable);
