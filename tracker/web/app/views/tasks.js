// @ts-check
// Tasks: those of all projects, chosen by one line of tokens, with figures of what is chosen.
import { completions, duration, fill, FILTERS, formatTokens, h, number, parseTokens, setQuery, t } from "../lib/index.js";
import { api, renewal } from "../data/index.js";
import { allCost, figures, heading, View } from "../parts/index.js";
import "./project-table.js";
import { TokenViews } from "./token-views.js";

const TYPING_MS = 250;

class TasksView extends View {
	#filters;
	#figures = figures({
		total: t("project.total"), running: t("status.running"), failed: t("status.failed"),
		rate: t("project.rate"), median: t("insights.column.median"), cost: t("insights.column.cost"),
	});
	#table = /** @type {any} */ (document.createElement("task-table"));
	#wrong = h("p.tokens-wrong", { role: "status", id: "tokens-wrong" });
	#known = { agents: /** @type {string[]} */ ([]), projects: /** @type {string[]} */ ([]) };
	#choices = h("datalist", { id: "tokens" });
	#line = /** @type {HTMLInputElement} */ (h("input.tokens", {
		type: "search", list: "tokens", autocomplete: "off", spellcheck: "false",
		"aria-label": t("tokens.label"), placeholder: t("tokens.example"), "aria-describedby": "tokens-wrong",
	}));
	#views = new TokenViews((line) => {
		this.#line.value = line;
		this.#choose();
	});
	#reloadSoon = renewal(() => this.reload(), 2000);
	#typed = 0;

	constructor(_args, query) {
		super();
		this.classList.add("view-fixed");
		this.#filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
	}

	render() {
		this.#line.value = formatTokens(this.#filters);
		this.#table.filters = this.#filters;
		this.#line.addEventListener("input", () => {
			this.#complete();
			clearTimeout(this.#typed);
			this.#typed = setTimeout(() => this.#choose(), TYPING_MS);
		});
		const form = h("form.filters.token-form", { role: "search", "aria-label": t("filter.title"), onsubmit: (event) => event.preventDefault() },
			this.#line, this.#choices);
		this.append(
			heading(t("nav.tasks"), this.#figures.element),
			h("div.toolbar", form, this.#views.element), this.#wrong, this.#table);
		this.#views.show(formatTokens(this.#filters));
	}

	async load() {
		const [, { figures: found }] = await Promise.all([
			this.#table.read(), api.allTasks({ ...this.#filters, figures: 1, limit: 1 }),
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

	/** What can follow what is typed; agents and projects are those that the server knows. */
	async #complete() {
		if (!this.#known.projects.length) {
			const [{ agents }, { projects }] = await Promise.all([api.stats(), api.projects({ limit: 100 })]);
			this.#known = { agents: agents.map(({ name }) => name), projects: projects.map(({ name }) => name) };
		}
		fill(this.#choices, completions(this.#line.value, this.#known).map((value) => h("option", { value })));
	}

	#choose() {
		const { filters, wrong } = parseTokens(this.#line.value);
		this.#line.setAttribute("aria-invalid", String(wrong.length > 0));
		this.#wrong.textContent = wrong.length ? t("tokens.wrong", { tokens: wrong.join(" ") }) : "";
		this.#filters = filters;
		setQuery({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), ...filters });
		this.#views.show(formatTokens(this.#filters));
		this.#table.choose(filters);
		this.reload();
	}
}

customElements.define("tasks-view", TasksView);
