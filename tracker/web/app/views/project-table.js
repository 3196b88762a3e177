// @ts-check
// Tasks of a project, or of all, as a table of any length: pages are read as they come into sight.
import { h, paths, remember, remembered, setQuery, t, text } from "../lib/index.js";
import { isTyping, latin } from "../lib/keys.js";
import { areDeletionsOf, keepList, keyOf, nextFailed, store } from "../data/index.js";
import { costOf, failed, renew, Selection } from "../parts/index.js";
import { reach } from "../parts/failures.js";
import { sidePanel } from "../parts/side-panel.js";
import { SelectionBar } from "./selection-bar.js";
import { tableSettings, tableSettingsButton } from "./table-settings.js";
import { TaskPages } from "./task-pages.js";
import { TaskRow } from "./task-row.js";

const MOST_CHOSEN = 1000;
const COLUMNS = [
	["status", null], ["title", "title"], ["agent", null], ["progress", null],
	["started", "started_at"], ["updated", "updated_at"], ["attempt", null], ["duration", "duration_seconds"], ["used", null],
];

class TaskTable extends HTMLElement {
	project = "";
	filters = {};
	#pages = new TaskPages(() => this.#asList, () => this.#showPages());
	#list = h("virtual-list", { role: "rowgroup" });
	#news = h("button.button.table-news", { type: "button", hidden: true });
	#none = h("div", { role: "row", hidden: true }, h("p.empty-note", { role: "cell" }, t("project.none")));
	#sort = { by: "started_at", order: "desc" };
	#head = h("div.table-head", { role: "row" });
	#table = h("div.table-body", { role: "table", "aria-label": t("project.table") },
		h("div", { role: "rowgroup" }, this.#head), this.#list, this.#none);
	#sight = [0, 0];
	#selection = new Selection(() => this.#selected());
	#bar = new SelectionBar(this.#selection, {
		chooseAll: () => this.#choose(0, this.#pages.total, true), onDone: () => this.refresh(),
	});
	#allBox = /** @type {HTMLInputElement} */ (h("input", {
		type: "checkbox", "aria-label": t("selection.chooseLoaded"), onclick: () => this.#chooseLoaded(),
	}));
	#onKey = (event) => this.#press(event);

	connectedCallback() {
		const query = new URLSearchParams(location.search);
		this.#sort = { by: query.get("sort_by") ?? "started_at", order: query.get("sort_order") ?? "desc" };
		keepList(this.#asList);
		this.#applySettings();
		this.#list.makeRow = () => new TaskRow();
		this.#list.showRow = (row, index) => {
			const task = this.#pages.at(index);
			row.show(task, task !== undefined && this.#selection.has(keyOf(task)));
		};
		this.#list.onrange = (first, last) => {
			this.#sight = [first, last];
			this.#pages.need(first, last).catch((error) => failed(this, error));
		};
		this.#news.addEventListener("click", () => {
			this.#list.scrollTop = 0;
			this.refresh();
		});
		this.addEventListener("choose", (event) => this.#chooseRow(/** @type {any} */ (event)));
		document.addEventListener("keydown", this.#onKey);
		this.#showHead();
		this.append(this.#bar.element, tableSettingsButton(() => this.#applySettings()), this.#table, this.#news);
		this.#selection.set(remembered("chosen") ?? [], true);
	}

	disconnectedCallback() {
		document.removeEventListener("keydown", this.#onKey);
	}

	#applySettings() {
		const { columns, density, rowHeight } = tableSettings();
		this.dataset.columns = columns.join(" ");
		this.dataset.density = density;
		this.#list.rowHeight = rowHeight;
	}

	/** At the top, new tasks come in by themselves; further down nothing moves under the reader. */
	async read() {
		if (this.#pages.isEmpty || this.#list.atTop) await this.#pages.readFirst();
		else this.#showNews(await this.#pages.countNew());
		await this.#pages.need(...this.#sight);
	}

	/** Read everything again from the server. */
	refresh() {
		this.forget();
		renew(this);
	}

	/** Other tasks are wanted: what is out of sight then is selected no more. */
	choose(filters) {
		this.filters = filters;
		keepList(this.#asList);
		this.#bar.clear();
		this.forget();
	}

	forget() {
		this.#pages.forget();
		this.#showNews(0);
	}

	update(events) {
		const gone = this.#selection.tasks.filter((task) => areDeletionsOf(events, task));
		if (gone.length) this.#selection.set(gone, false);
		this.#list.refresh();
	}

	tick() {
		this.#list.refresh();
	}

	get #asList() {
		return { project: this.project, filters: this.filters, sort: this.#sort };
	}

	#showNews(count) {
		this.#news.hidden = count <= 0;
		text(this.#news, t("project.news", { count }));
	}

	#showPages() {
		const { total, loaded } = this.#pages;
		if (loaded.some((task) => costOf(task.usage))) this.dataset.used = "";
		this.#none.hidden = total > 0;
		this.#table.setAttribute("aria-rowcount", `${total + 1}`);
		this.#keepFocus(() => (this.#list.count = total));
		this.#showSelection();
	}

	/** On the task that has it, wherever its row is then. */
	#keepFocus(change) {
		const held = this.#focused?.key;
		change();
		if (held && held !== this.#focused?.key) this.#rowOf(held)?.link.focus({ preventScroll: true });
	}

	/** @returns {TaskRow[]} */
	get #rows() {
		return [...this.querySelectorAll("task-row")].map((row) => /** @type {TaskRow} */ (row));
	}

	#rowOf(key) {
		return this.#rows.find((row) => row.key === key);
	}

	get #focused() {
		return this.#rows.find((row) => row.contains(document.activeElement));
	}

	/** From the row with the focus, or what the panel shows. @param {1 | -1} step */
	async toFailure(step) {
		const from = store.tasks.get(this.#focused?.key || sidePanel.key) ?? null;
		const task = await nextFailed(this.#asList, from, step);
		if (!task) return false;
		const index = await this.#pages.indexOf(task);
		if (index >= 0) {
			this.#list.reveal(index);
			await this.#pages.need(...this.#sight);
		}
		const row = this.#rowOf(keyOf(task));
		if (row) reach(row.link);
		else if (sidePanel.of) sidePanel.open(paths.task(task.project, task.task_id));
		return true;
	}

	#chooseRow({ target: row, detail: { isChosen, toHere } }) {
		const index = row.ariaRowIndex - 2;
		const anchor = toHere ? this.#pages.indexOfLoaded(this.#selection.anchor) : -1;
		this.#selection.anchor = row.key;
		this.#choose(Math.min(index, anchor < 0 ? index : anchor), Math.max(anchor, index) + 1, isChosen);
	}

	/** Those from `first` on, before `last`, which are read if need be. */
	async #choose(first, last, isChosen) {
		const end = Math.min(last, first + MOST_CHOSEN);
		try {
			await this.#pages.need(first, end);
		} catch (error) {
			failed(this, error);
		}
		const tasks = Array.from({ length: end - first }, (_, at) => this.#pages.at(first + at));
		this.#selection.set(tasks.filter((task) => task !== undefined), isChosen);
	}

	#chooseLoaded() {
		const loaded = this.#pages.loaded.slice(0, MOST_CHOSEN);
		this.#selection.set(loaded, !loaded.every((task) => this.#selection.has(keyOf(task))));
	}

	/** To be there on the way back: in the entry of this view, and no other in which a change may end. */
	#selected() {
		const { names } = this.#selection;
		if (this.isConnected && (names.length || remembered("chosen")?.length)) remember({ chosen: names });
		this.#showSelection();
		this.#list.refresh();
	}

	#showSelection() {
		const { size } = this.#selection;
		const { total, loaded } = this.#pages;
		this.#allBox.checked = loaded.length > 0 && loaded.every((task) => this.#selection.has(keyOf(task)));
		this.#allBox.indeterminate = size > 0 && !this.#allBox.checked;
		const count = Math.min(total, MOST_CHOSEN);
		this.#bar.update(size && size < count ? t(count < total ? "selection.allOf" : "selection.all", { count }) : "");
	}

	#press(event) {
		if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
		const row = event.target.closest?.("task-row");
		const key = latin({ key: event.key.toLowerCase(), code: event.code, shiftKey: false });
		if (event.key === "Escape" && this.#selection.size && !isTyping(event.target)) this.#bar.clear();
		else if (row && key === "x") row.choose(event.shiftKey || !row.isChosen, event.shiftKey);
		else return;
		event.preventDefault();
	}

	#showHead() {
		this.#head.replaceChildren(h("div.cell-select", { role: "columnheader" }, this.#allBox), ...COLUMNS.map(([name, field]) => {
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
		keepList(this.#asList);
		setQuery({ sort_by: field, sort_order: order });
		this.#showHead();
		this.#list.scrollTop = 0;
		this.refresh();
	}
}

customElements.define("task-row", TaskRow);
customElements.define("task-table", TaskTable);
