// @ts-check
// Project: figures, a line of tokens, and its tasks as a table, a board or a timeline.
import { duration, h, isolate, number, paths, t } from "../lib/index.js";
import { api, renewal } from "../data/index.js";
import { figures, missing, View } from "../parts/index.js";
import "./project-board.js";
import "./project-table.js";
import "./task-timeline.js";
import { TokenLine } from "./token-line.js";

const TABS = { "": "task-table", board: "task-board", timeline: "task-timeline" };

class ProjectView extends View {
	#project;
	#tab;
	#line;
	#figures = figures({
		total: t("project.total"), running: t("status.running"), failed: t("insights.column.failed"),
		rate: t("project.rate"), average: t("project.average"),
	});
	#content;
	#toolbar;
	#unknown = missing(t("project.unknown"));
	#reloadSoon = renewal(() => this.reload(), 2000);

	constructor([project, tab], query) {
		super();
		this.#project = project;
		this.#tab = tab ?? "";
		this.#line = new TokenLine(query, () => this.#choose(), true);
		this.classList.add("view-fixed");
	}

	render() {
		this.#toolbar = h("div.toolbar", this.#tabs(), this.#line.elements);
		this.#content = document.createElement(TABS[this.#tab]);
		this.#content.project = this.#project;
		this.#content.filters = this.#line.filters;
		this.append(
			h("header.heading",
				h("div.heading-names",
					h("nav.crumbs", { "aria-label": t("crumbs") }, h("a", { href: paths.projects() }, t("nav.projects"))),
					h("h1", { tabindex: "-1" }, isolate(this.#project))),
				this.#figures.element),
			this.#toolbar, this.#line.wrong,
			this.#content, this.#unknown,
		);
		this.#unknown.hidden = true;
	}

	async load() {
		const [found] = await Promise.all([api.projectStats(this.#project), this.#content.read()]);
		const { total, running, failed, completed } = found.task_stats;
		const { finished_success_rate: rate, average_duration: average } = found.performance;
		this.#figures.update({
			total: number(total), running: number(running), failed: number(failed),
			rate: completed + failed ? `${number(rate, 1)} %` : "–", average: duration(Math.round(average * 10) / 10),
		});
	}

	/** A project that is not there, or not yet, is no failure to be tried again. */
	problem(error) {
		const isUnknown = error?.status === 404;
		super.problem(isUnknown ? null : error);
		this.#unknown.hidden = !isUnknown;
		for (const part of [this.#figures.element, this.#toolbar, this.#content]) part.hidden = isUnknown;
	}

	update(events, isNews) {
		const own = events.filter(({ data }) => data.project === this.#project);
		if (!own.length) return;
		this.#content.update(own, isNews);
		this.#reloadSoon();
	}

	tick() {
		this.#content.tick?.();
	}

	reset() {
		this.#content.forget();
		this.reload();
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

	#choose() {
		/** @type {any} */
		const tabs = this.querySelectorAll(".tabs a");
		for (const link of tabs) link.search = location.search;
		this.#content.choose(this.#line.filters);
		this.reload();
	}
}

customElements.define("project-view", ProjectView);
