// @ts-check
// Insights: what ended in the last days of the viewer, of all projects or of one: by day, project, agent,
// model and title; and failures alike together. All of it leads to the tasks.
import { duration, fill, h, number, t, tokens } from "../lib/index.js";
import { api, readInsights, renewal, serverNow } from "../data/index.js";
import { allCost, allTokens, emptyStart, figures, heading, View } from "../parts/index.js";
import { InsightsChoice } from "./insights-choice.js";
import { InsightsDays } from "./insights-days.js";
import { FailureGroups } from "./insights-failures.js";
import { insightsTables } from "./insights-table.js";

class InsightsView extends View {
	#choice;
	#from = "";
	#day = today();
	#hasProjects = false;
	#heading = heading(t("nav.insights"));
	#figures = figures({
		completed: t("insights.column.completed"), failed: t("insights.column.failed"), rate: t("project.rate"),
		median: t("insights.column.median"), tokens: t("insights.column.tokens"), cost: t("insights.column.cost"),
	});
	#incomplete = h("p.note", { role: "status" });
	#days = new InsightsDays();
	#tables = insightsTables((more) => ({ ...this.#filters(), ...more }));
	#failures = new FailureGroups();
	#found = h("div.insights-found", this.#incomplete, h("div.figures-large", this.#figures.element),
		h("div.insights-columns", this.#days.sections, Object.values(this.#tables).map(({ section }) => section), this.#failures.section));
	#none = h("p.empty-note", t("insights.none"));
	#waiting = h("div.insights-waiting", { "aria-hidden": "true" });
	#reloadSoon = renewal(() => this.reload(), 4000);

	constructor(_args, query) {
		super();
		this.#choice = new InsightsChoice(query, () => this.#chosen());
	}

	render() {
		this.append(this.#heading, this.#choice.element, this.#waiting);
	}

	async load() {
		const { days, project } = this.#choice;
		if (!this.#hasProjects) {
			await this.#choice.readProjects();
			this.#hasProjects = true;
		}
		const found = await readInsights(days, project);
		const failures = await api.failures({ since: found.from, project });
		const isNew = !found.total && !project && !(await api.stats()).overview.total_tasks;
		if (days !== this.#choice.days || project !== this.#choice.project) return;
		if (isNew) return fill(this, this.#heading, await emptyStart());
		this.#show(found, failures);
		fill(this, this.#heading, this.#choice.element, found.total ? this.#found : this.#none);
	}

	update(events) {
		if (events.some((event) => this.#concerns(event))) this.#reloadSoon();
	}

	/** Another day may have begun. */
	tick() {
		if (this.#day === today()) return;
		this.#day = today();
		this.#reloadSoon();
	}

	#show(found, failures) {
		const { overall, complete, total, kinds } = found;
		const { completed, failed, usage } = overall;
		this.#from = found.from;
		this.#figures.update({
			completed: number(completed), failed: number(failed), rate: `${number(overall.finished_success_rate, 1)} %`,
			median: duration(Math.round(overall.median_duration * 10) / 10),
			tokens: allTokens(usage) ? tokens(allTokens(usage)) : "–", cost: allCost(usage) || "–",
		});
		this.#incomplete.hidden = complete;
		this.#incomplete.textContent = complete ? "" : t("insights.incomplete", { count: completed + failed, total });
		this.#days.update(found, this.#filters(), this.#choice.rangeName);
		for (const [kind, table] of Object.entries(this.#tables)) table.update(found[kind], kinds[kind]);
		this.#failures.update(failures, found.from);
	}

	/** Those of the tasks that ended. */
	#filters() {
		const { project } = this.#choice;
		return { status: "completed,failed", since: this.#from, ...(project && { project }) };
	}

	/** Whether it may change what has ended: reports on the way do not. */
	#concerns({ type, data }) {
		const { project } = this.#choice;
		return (!project || data.project === project) && (type !== "task_status_updated" || ["completed", "failed"].includes(data.status));
	}

	#chosen() {
		this.setAttribute("aria-busy", "true");
		this.reload();
	}
}

function today() {
	return new Date(serverNow()).toDateString();
}

customElements.define("insights-view", InsightsView);
