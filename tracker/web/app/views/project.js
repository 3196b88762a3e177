// @ts-check
// Project: figures, filters, and its tasks as a table, a board or a timeline.
import { duration, fill, h, isolate, number, paths, setQuery, t } from "../lib/index.js";
import { api, renewal, STATUSES } from "../data/index.js";
import { figures, missing, View } from "../parts/index.js";
import "./project-board.js";
import "./project-table.js";
import "./task-timeline.js";

const FILTERS = ["q", "status", "agent", "session", "date_from", "date_to"];
const TABS = { "": "task-table", board: "task-board", timeline: "task-timeline" };
const TYPING_MS = 250;

class ProjectView extends View {
	#project;
	#tab;
	#query;
	#figures = figures({
		total: t("project.total"), running: t("status.running"), failed: t("status.failed"),
		rate: t("project.rate"), average: t("project.average"),
	});
	#agents = h("datalist", { id: "agents" });
	#content;
	#toolbar;
	#unknown = missing(t("project.unknown"));
	#reloadSoon = renewal(() => this.reload(), 2000);

	constructor([project, tab], query) {
		super();
		this.#project = project;
		this.#tab = tab ?? "";
		this.#query = query;
		this.classList.add("view-fixed");
	}

	render() {
		this.#toolbar = h("div.toolbar", this.#tabs(), this.#tab !== "timeline" && this.#form());
		this.#content = document.createElement(TABS[this.#tab]);
		this.#content.project = this.#project;
		this.#content.filters = this.#filters();
		this.append(
			h("header.heading",
				h("div.heading-names",
					h("nav.crumbs", { "aria-label": t("crumbs") }, h("a", { href: paths.projects() }, t("nav.projects"))),
					h("h1", { tabindex: "-1" }, isolate(this.#project))),
				this.#figures.element),
			this.#toolbar,
			this.#content, this.#unknown,
		);
		this.#unknown.hidden = true;
	}

	async load() {
		const [found, overall] = await Promise.all([
			api.projectStats(this.#project), api.stats(), this.#content.read(),
		]);
		const { total, running, failed, completed } = found.task_stats;
		const { finished_success_rate: rate, average_duration: average } = found.performance;
		this.#figures.update({
			total: number(total), running: number(running), failed: number(failed),
			rate: completed + failed ? `${number(rate, 1)} %` : "–", average: duration(Math.round(average * 10) / 10),
		});
		fill(this.#agents, overall.agents.map(({ name }) => h("option", { value: name })));
	}

	/** A project that is not there, or not yet, is no failure to be tried again. */
	problem(error) {
		const isUnknown = error?.status === 404;
		super.problem(isUnknown ? null : error);
		this.#unknown.hidden = !isUnknown;
		for (const part of [this.#figures.element, this.#toolbar, this.#content]) part.hidden = isUnknown;
	}

	update(events) {
		const own = events.filter(({ data }) => data.project === this.#project);
		if (!own.length) return;
		this.#content.update(own);
		this.#reloadSoon();
	}

	tick() {
		this.#content.tick?.();
	}

	reset() {
		this.#content.forget();
		this.reload();
	}

	#filters() {
		return Object.fromEntries(FILTERS.map((name) => [name, this.#query.get(name) ?? ""]));
	}

	#tabs() {
		const names = { "": "project.table", board: "project.board", timeline: "project.timeline" };
		return h("nav.tabs", { "aria-label": t("project.views") },
			Object.entries(names).map(([tab, label]) =>
				h("a", {
					href: paths.project(this.#project, tab) + location.search,
					"aria-current": tab === this.#tab ? "page" : null,
				}, t(label))));
	}

	#form() {
		const filters = this.#filters();
		const input = (name, type, properties) =>
			h("input", { name, type, value: filters[name], "aria-label": t(`filter.${name}`), ...properties });
		const form = h("form.filters", { role: "search", "aria-label": t("filter.title") },
			input("q", "search", { placeholder: t("filter.q") }),
			h("select", { name: "status", "aria-label": t("filter.status") },
				h("option", { value: "" }, t("filter.anyStatus")),
				STATUSES.map((s) => h("option", { value: s, selected: s === filters.status }, t(`status.${s}`)))),
			input("agent", "text", { placeholder: t("filter.agent"), list: "agents", autocomplete: "off" }),
			filters.session && input("session", "search", { placeholder: t("task.session") }),
			h("label.field", h("span", t("filter.from")), input("date_from", "date")),
			h("label.field", h("span", t("filter.to")), input("date_to", "date")),
			this.#agents);
		let timer = 0;
		form.addEventListener("submit", (event) => event.preventDefault());
		form.addEventListener("input", () => {
			clearTimeout(timer);
			timer = setTimeout(() => this.#filter(Object.fromEntries(new FormData(form))), TYPING_MS);
		});
		return form;
	}

	#filter(values) {
		setQuery(values);
		/** @type {any} */
		const tabs = this.querySelectorAll(".tabs a");
		for (const link of tabs) link.search = location.search;
		if (this.#content.choose) this.#content.choose(values);
		else this.#content.filters = values;
		this.#content.forget();
		this.reload();
	}
}

customElements.define("project-view", ProjectView);
