// @ts-check
// A table of what ended: a line for each project, agent, model, title or day, which leads to its tasks.
import { duration, h, isolate, number, paths, t, text, tokens } from "../lib/index.js";
import { allCost, allTokens, CutList, section } from "../parts/index.js";

const FIGURES = ["completed", "failed", "success", "median", "tokens", "cost"];

export class InsightsTable {
	#list;

	/**
	 * @param {string} kind What a line is of: `insights.column.…`.
	 * @param {string} title
	 * @param {object} line
	 * @param {(line: any) => string} line.key
	 * @param {(line: any) => any} line.name As it is shown.
	 * @param {(line: any) => Record<string, string> | null} line.filters Those of its tasks; null: none choose them.
	 */
	constructor(kind, title, { key, name, filters }) {
		const body = h("tbody", { role: "rowgroup" });
		const columns = [kind, ...FIGURES].map((column) => h("th", { scope: "col", role: "columnheader" }, t(`insights.column.${column}`)));
		this.#list = new CutList(body, key, (line) => new Row(name(line)).element, (element, line) => rows.get(element)?.show(line, filters(line)));
		this.element = h("div", h("div.scroll-x", { tabindex: "0" },
			h("table.plain-table.insights-table", { role: "table", "aria-label": title },
				h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns)), body)), this.#list.below);
		this.section = section(title, this.element);
	}

	/** `count`: how many lines there are, these and others. */
	update(lines, count = lines.length) {
		this.section.hidden = !lines.length;
		this.#list.update(lines, count > lines.length ? t("insights.onlyLines", { shown: lines.length, count }) : "");
	}
}

/** @type {WeakMap<Element, Row>} */
const rows = new WeakMap();

class Row {
	#link;
	#fill = h("span.rate-fill");
	#bar = h("span.rate", this.#fill);
	#words = Object.fromEntries(FIGURES.map((name) => [name, h(name === "success" ? "span.rate-words" : "span")]));

	constructor(name) {
		this.#link = h("a", { "data-row": true }, name);
		this.element = h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader" }, this.#link),
			FIGURES.map((figure) => h("td", { role: "cell", "data-label": t(`insights.column.${figure}`) }, figure === "success" && this.#bar, this.#words[figure])));
		rows.set(this.element, this);
	}

	show({ completed, failed, finished_success_rate: rate, median_duration: median, usage }, filters) {
		const hasEnded = completed + failed > 0;
		const words = {
			completed: number(completed), failed: number(failed), success: hasEnded ? `${number(rate, 1)} %` : "–",
			median: hasEnded ? duration(Math.round(median * 10) / 10) : "–",
			tokens: allTokens(usage) ? tokens(allTokens(usage)) : "–", cost: allCost(usage) || "–",
		};
		for (const figure of FIGURES) text(this.#words[figure], words[figure]);
		this.#words.failed.classList.toggle("is-failed", failed > 0);
		this.#fill.style.width = `${rate}%`;
		this.#bar.hidden = !hasEnded;
		if (filters) this.#link.setAttribute("href", paths.tasks(filters));
		else this.#link.removeAttribute("href");
	}
}

/**
 * The tables of an answer, by its names of them.
 * @param {(more: Record<string, string>) => Record<string, string>} chosen Filters of the tasks that ended, and these.
 */
export function insightsTables(chosen) {
	const one = (kind) => ({ key: (line) => line[kind], name: (line) => isolate(line[kind]), filters: (line) => chosen({ [kind]: line[kind] }) });
	return {
		projects: new InsightsTable("project", t("insights.projects"), one("project")),
		agents: new InsightsTable("agent", t("insights.agents"), one("agent")),
		models: new InsightsTable("model", t("insights.models"), {
			key: ({ model }) => JSON.stringify(model), name: ({ model }) => (model === null ? t("insights.noModel") : isolate(model)),
			filters: ({ model }) => (model === null ? null : chosen({ model })),
		}),
		titles: new InsightsTable("title", t("insights.titles"), {
			key: ({ project, title }) => JSON.stringify([project, title]),
			name: ({ project, title }) => [isolate(title), h("span.title-project", isolate(project))],
			filters: ({ project, title }) => chosen({ project, title }),
		}),
	};
}
