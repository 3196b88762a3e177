// @ts-check
// Tasks: those of all projects, chosen by one line of tokens, with figures of what is chosen.
import { duration, h, number, t } from "../lib/index.js";
import { api, renewal } from "../data/index.js";
import { allCost, figures, heading, View } from "../parts/index.js";
import "./project-table.js";
import { TokenLine } from "./token-line.js";

class TasksView extends View {
	#line;
	#figures = figures({
		total: t("project.total"), running: t("status.running"), failed: t("insights.column.failed"),
		rate: t("project.rate"), median: t("insights.column.median"), cost: t("insights.column.cost"),
	});
	#table = /** @type {any} */ (document.createElement("task-table"));
	#reloadSoon = renewal(() => this.reload(), 2000);

	constructor(_args, query) {
		super();
		this.classList.add("view-fixed");
		this.#line = new TokenLine(query, () => {
			this.#table.choose(this.#line.filters);
			this.reload();
		});
	}

	render() {
		this.#table.filters = this.#line.filters;
		this.append(
			heading(t("nav.tasks"), this.#figures.element), h("div.toolbar", this.#line.elements), this.#line.wrong, this.#table);
	}

	async load() {
		const [, { figures: found }] = await Promise.all([
			this.#table.read(), api.allTasks({ ...this.#line.filters, figures: 1, limit: 1 }),
		]);
		const { total, running, failed, completed } = found.task_stats;
		const { finished_success_rate: rate, median_duration: median } = found.performance;
		const more = found.complete ? "" : "+";
		this.#figures.update({
			total: number(total) + more, running: number(running) + more, failed: number(failed) + more,
			rate: completed + failed ? `${number(rate, 1)} %` : "–",
			median: completed + failed ? duration(median) : "–", cost: allCost(found.usage) || "–",
		});
	}

	update(events) {
		this.#table.update(events);
		this.#reloadSoon();
	}

	tick() {
		this.#table.tick();
	}

	reset() {
		this.#table.forget();
		this.reload();
	}
}

customElements.define("tasks-view", TasksView);
