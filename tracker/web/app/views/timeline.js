// @ts-check
// Timeline: what all agents did, over time.
import { h, t } from "../lib/index.js";
import { renewal } from "../data/index.js";
import { heading, View } from "../parts/index.js";
import "./task-timeline.js";

class TimelineView extends View {
	/** @type {any} */
	#timeline = h("task-timeline");
	#reloadSoon = renewal(() => this.reload(), 3000);

	constructor() {
		super();
		this.classList.add("view-fixed");
	}

	render() {
		this.append(heading(t("project.timeline")), this.#timeline);
	}

	async load() {
		await this.#timeline.read();
	}

	update() {
		this.#timeline.update();
		this.#reloadSoon();
	}

	tick() {
		this.#timeline.tick();
	}
}

customElements.define("timeline-view", TimelineView);
