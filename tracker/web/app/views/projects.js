// @ts-check
// Projects: a card each, with its activity of the last 30 days.
import { fill, h, isolate, keyed, paths, t } from "../lib/index.js";
import { api, renewal } from "../data/index.js";
import { dayBars, emptyStart, heading, lastDays, timeShown, View } from "../parts/index.js";

const PAGE = 60;
const DAYS = 30;

class ProjectsView extends View {
	#grid = h("div.cards", { role: "list" });
	#more = h("button.button", { type: "button", hidden: true }, t("more"));
	#limit = PAGE;
	#show = keyed(this.#grid, (project) => new Card(project), (card, project) => card.show(project));
	#reloadSoon = renewal(() => this.reload(), 2000);

	render() {
		this.#more.addEventListener("click", () => {
			this.#limit += PAGE;
			this.reload();
		});
		this.append(heading(t("nav.projects")), this.#grid, this.#more);
	}

	async load() {
		const { projects, total } = await api.projects({
			limit: Math.min(500, this.#limit), activity_days: DAYS,
		});
		if (!total) return fill(this, heading(t("nav.projects")), await emptyStart());
		if (!this.#grid.isConnected) fill(this, heading(t("nav.projects")), this.#grid, this.#more);
		this.#show(projects, (project) => project.id);
		this.#more.hidden = projects.length >= Math.min(total, 500);
	}

	update() {
		this.#reloadSoon();
	}
}

class Card extends HTMLElement {
	#counts = h("p.card-counts");
	#chart = h("div.card-chart");
	#seen = h("span.quiet");
	#shown = "";

	constructor(project) {
		super();
		this.className = "card";
		this.setAttribute("role", "listitem");
		this.append(
			h("h2.card-title",
				h("a", { href: paths.project(project.name), "data-row": "" }, isolate(project.name))),
			this.#counts, this.#chart, this.#seen,
		);
	}

	show(project) {
		if (this.#shown === JSON.stringify(project)) return;
		this.#shown = JSON.stringify(project);
		fill(this.#counts,
			count("running", project.active_tasks),
			count("completed", project.completed_tasks),
			count("failed", project.failed_tasks));
		fill(this.#chart, dayBars(lastDays(project.activity, DAYS),
			{ width: 240, height: 36, label: t("projects.activity") }));
		fill(this.#seen, t("task.lastWord"), " ", timeShown(project.updated_at));
	}
}

function count(name, n) {
	return h(`span.count.count-${name}`, { "data-zero": !n }, t(`count.${name}`, { count: n }));
}

customElements.define("project-card", Card);
customElements.define("projects-view", ProjectsView);
