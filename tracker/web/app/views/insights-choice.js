// @ts-check
// Of which days and which project Insights are. It stands in the address.
import { fill, h, setQuery, t } from "../lib/index.js";
import { api } from "../data/index.js";

// Numbers of days, today included.
const RANGES = [1, 7, 30, 90];
const USUAL = 30;
const MOST_PROJECTS = 500;

export class InsightsChoice {
	#onchange;
	#buttons = RANGES.map((days) => h("button.button", { type: "button", onclick: () => this.#choose({ days }) }, rangeName(days)));
	#select = /** @type {HTMLSelectElement} */ (h("select", {
		"aria-label": t("insights.column.project"), onchange: () => this.#choose({ project: this.#select.value }),
	}));
	element = h("div.toolbar.insights-choice",
		h("div.range-choice", { role: "group", "aria-label": t("insights.range") }, this.#buttons), this.#select);

	/**
	 * @param {URLSearchParams} query Of the address.
	 * @param {() => void} onchange Another choice was made.
	 */
	constructor(query, onchange) {
		const days = Number(query.get("days"));
		this.days = RANGES.includes(days) ? days : USUAL;
		this.project = query.get("project") ?? "";
		this.#onchange = onchange;
		this.#offer([]);
	}

	get rangeName() {
		return rangeName(this.days);
	}

	/** Offer all projects; the one that is chosen need not be known. */
	async readProjects() {
		const { projects } = await api.projects({ limit: MOST_PROJECTS, sort_by: "name", sort_order: "asc" });
		this.#offer(projects.map(({ name }) => name));
	}

	#offer(names) {
		const all = new Set([...names, ...(this.project ? [this.project] : [])]);
		fill(this.#select, h("option", { value: "" }, t("insights.allProjects")),
			[...all].map((name) => h("option", { value: name }, name)));
		this.#show();
	}

	#choose({ days = this.days, project = this.project }) {
		this.days = days;
		this.project = project;
		setQuery({ days: days === USUAL ? "" : days, project });
		this.#show();
		this.#onchange();
	}

	#show() {
		this.#select.value = this.project;
		this.#buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(RANGES[index] === this.days)));
	}
}

function rangeName(days) {
	return days === 1 ? t("insights.today") : t("insights.days", { count: days });
}
