// @ts-check
// Timeline: what all agents did, over time.
import { h, t } from "../lib/index.js";
import { renewal } from "../data/index.js";
import { heading, View } from "../parts/index.js";
import "./task-timeline.js";
import { TokenLine } from "./token-line.js";

class TimelineView extends View {
	/** @type {any} */
	#timeline = h("task-timeline");
	#line;
	#reloadSoon = renewal(() => this.reload(), 3000);

	constructor(_args, query) {
		super();
		this.classList.add("view-fixed");
		this.#line = new TokenLine(query, () => {
			this.#timeline.choose(this.#line.filters);
			this.reload();
		});
	}

	render() {
		this.#timeline.filters = this.#line.filters;
		this.append(heading(t("project.timeline")), h("div.toolbar", this.#line.elements), this.#line.wrong, this.#timeline);
	}

	async load() {
		await this.#timeline.read();
	}

	update(events, isNews) {
		this.#timeline.update(events, isNews);
		this.#reloadSoon();
	}

	tick() {
		this.#timeline.tick();
	}
}

customElements.define("timeline-view", TimelineView);
