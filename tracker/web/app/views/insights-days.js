// @ts-check
// Charts of what ended, what it cost and the tokens it took, by day; and all of it as a table.
import { cost, h, number, paths, t, tokens, utcDay } from "../lib/index.js";
import { dayBegin } from "../data/index.js";
import { allCost, allTokens, DayChart, section } from "../parts/index.js";
import { InsightsTable } from "./insights-table.js";

export class InsightsDays {
	#ends = new DayChart({ completed: t("insights.column.completed"), failed: t("insights.column.failed") }, number, true);
	#costs = new DayChart({ told: t("insights.told"), estimated: t("insights.estimated") }, cost);
	#tokens = new DayChart({ input: t("insights.input"), output: t("insights.output"), cached: t("insights.cached") }, tokens, true);
	#table = new InsightsTable("day", t("insights.perDay"), {
		key: ({ date }) => date, name: ({ date }) => utcDay(date), filters: ({ filters }) => filters,
	});
	#costSection = section(t("insights.costPerDay"), this.#costs.element);
	#tokensSection = section(t("insights.tokensPerDay"), this.#tokens.element);
	sections = [
		h("section.section.is-wide", h("h2", t("insights.perDay")), this.#ends.element,
			h("details.as-table", h("summary", t("insights.asTable")), this.#table.element)),
		this.#costSection, this.#tokensSection,
	];

	/**
	 * @param {any} found What the server answered.
	 * @param {Record<string, string>} chosen Filters of the tasks that ended on all these days.
	 * @param {string} all What the days are together.
	 */
	update({ days: found, overall, tz }, chosen, all) {
		const begins = found.map(({ date }) => dayBegin(date, tz));
		const days = found.map((day, index) => ({
			...day, filters: day.completed + day.failed > 0 ? { ...chosen, ...between(begins[index], begins[index + 1]) } : null,
		}));
		const show = (chart, valuesOf) => chart.update(days.map(({ filters, ...day }) => ({
			date: day.date, href: filters && paths.tasks(filters), values: valuesOf(day),
		})), all);
		show(this.#ends, ({ completed, failed }) => ({ completed, failed }));
		show(this.#costs, ({ usage }) => ({ told: usage.cost_usd, estimated: usage.estimated_cost_usd }));
		show(this.#tokens, ({ usage }) => ({
			input: usage.input_tokens, output: usage.output_tokens, cached: usage.cache_read_tokens + usage.cache_write_tokens,
		}));
		this.#costSection.hidden = !allCost(overall.usage);
		this.#tokensSection.hidden = !allTokens(overall.usage);
		this.#table.update(days.toReversed());
	}
}

/** Filters of what ended on a day; `next`: when the day after begins, none: it goes on. */
function between(begin, next) {
	const iso = (ms) => new Date(ms).toISOString();
	return { since: iso(begin), ...(next && { date_to: iso(next - 1) }) };
}
