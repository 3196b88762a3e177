// @ts-check
// Stats: figures over all projects, ends a day, how long tasks take, agents compared.
import { duration, fill, h, isolate, number, roundTime, t, tokens } from "../lib/index.js";
import { api, renewal } from "../data/index.js";
import {
	allCost, barRows, costOf, dayChart, emptyStart, figures, heading, isUsed, lastDays, section, View,
} from "../parts/index.js";

class StatsView extends View {
	#figures = figures({
		projects: t("nav.projects"), tasks: t("project.total"), active: t("now.active"),
		completed: t("status.completed"), failed: t("status.failed"),
		rate: t("project.rate"), median: t("stats.column.median"),
	});
	#days = section(t("stats.perDay"));
	#durations = section(t("stats.durations"));
	#agents = section(t("stats.agents"));
	#models = section(t("stats.models"));
	#reloadSoon = renewal(() => this.reload(), 4000);

	render() {
		this.append(heading(t("nav.stats")));
	}

	async load() {
		const [stats, trends] = await Promise.all([api.stats(), api.trends()]);
		const { overview, performance } = stats;
		if (!overview.total_tasks) return fill(this, heading(t("nav.stats")), await emptyStart());
		this.#figures.update({
			projects: number(overview.total_projects), tasks: number(overview.total_tasks),
			active: number(overview.active_tasks), completed: number(overview.completed_tasks),
			failed: number(overview.failed_tasks),
			rate: overview.completed_tasks + overview.failed_tasks ? `${number(performance.finished_success_rate, 1)} %` : "–",
			median: duration(trends.durations.median),
		});
		this.#part(this.#days, dayChart(lastDays(trends.timeline, 30)));
		this.#part(this.#durations,
			h("p.quiet", t("stats.sample", { count: trends.durations.sample })),
			barRows(bars(trends.durations.histogram)));
		this.#part(this.#agents, agentTable(stats.agents, trends.agents));
		this.#part(this.#models, modelTable(stats.usage));
		this.#models.hidden = !isUsed(stats.usage);
		if (!this.#days.isConnected) {
			fill(this, heading(t("nav.stats")), h("div.figures-large", this.#figures.element),
				h("div.stats-columns", this.#days, this.#durations, this.#agents, this.#models));
		}
	}

	update() {
		this.#reloadSoon();
	}

	#part(part, ...content) {
		part.replaceChildren(part.firstChild, ...content);
	}
}

/** The histogram without the empty bars at its ends. */
function bars(histogram) {
	const rows = histogram.map(({ up_to: upTo, count }, index) => [
		upTo === null
			? t("stats.over", { time: roundTime(histogram[index - 1].up_to) })
			: t("stats.upTo", { time: roundTime(upTo) }),
		count, number(count),
	]);
	const filled = ([, count]) => count > 0;
	return rows.slice(Math.max(0, rows.findIndex(filled)), rows.findLastIndex(filled) + 1);
}

function agentTable(agents, medians) {
	const median = new Map(medians.map(({ name, median_duration: m }) => [name, m]));
	const hasEnded = ({ name, average_duration: average }) => average > 0 || median.has(name);
	const columns = ["agent", "tasks", "success", "median", "average", "cost"];
	return h("div.scroll-x", { tabindex: "0" },
		h("table.plain-table", { "aria-label": t("stats.agents") },
			h("thead", h("tr", columns.map((c) => h("th", { scope: "col" }, t(`stats.column.${c}`))))),
			h("tbody", agents.map((agent) => {
				const rate = h("span.rate-fill");
				rate.style.width = `${agent.finished_success_rate}%`;
				return h("tr",
					h("th", { scope: "row" }, isolate(agent.name)),
					h("td", number(agent.task_count)),
					h("td", hasEnded(agent) ? [h("span.rate", rate), h("span.rate-words", `${number(agent.finished_success_rate, 1)} %`)] : "–"),
					h("td", median.has(agent.name) ? duration(median.get(agent.name)) : "–"),
					h("td", duration(Math.round(agent.average_duration * 10) / 10)),
					h("td", costOf(agent.usage) || "–"));
			}))));
}

/** What each model has used, the dearest first, and all of them. */
function modelTable(usage) {
	const columns = ["model", "input", "output", "cache", "cost"];
	const row = (name, used) => h("tr",
		h("th", { scope: "row" }, name),
		h("td", tokens(used.input_tokens)), h("td", tokens(used.output_tokens)),
		h("td", tokens(used.cache_read_tokens + used.cache_write_tokens)),
		h("td", allCost(used) || "–"));
	return h("div.scroll-x", { tabindex: "0" },
		h("table.plain-table", { "aria-label": t("stats.models") },
			h("thead", h("tr", columns.map((c) => h("th", { scope: "col" }, t(`stats.column.${c}`))))),
			h("tbody", usage.models.map((used) => row(used.model === null ? t("stats.noModel") : isolate(used.model), used)),
				row(t("stats.all"), usage))));
}

customElements.define("stats-view", StatsView);
