// @ts-check
// An agent at work: its task, when it was last heard of, what it has used, its last hour. What it has
// started stands below it.
import { attribute, h, isolate, paths, svg, t, text } from "../lib/index.js";
import { keyOf, serverNow } from "../data/index.js";
import { costOf, timeShown } from "../parts/index.js";

/** @typedef {import("../data/store.js").Task} Task */

const MAX_DEPTH = 4;
const STRIP_MINUTES = 60;

/**
 * Each task after the one that has started it; `depth`: how many are above it.
 * @param {Task[]} tasks In the order in which those that none has started are wanted.
 */
export function nested(tasks) {
	const known = new Map(tasks.map((task) => [keyOf(task), task]));
	const parentOf = (task) => known.get(keyOf({ project: task.project, task_id: task.parent_task_id ?? "" }));
	/** @type {Map<Task | undefined, Task[]>} */
	const children = new Map();
	for (const task of tasks) {
		const parent = parentOf(task);
		const there = children.get(parent);
		if (there) there.push(task);
		else children.set(parent, [task]);
	}
	/** @type {Map<Task, number>} */
	const depths = new Map();
	const place = (task, depth) => {
		if (depths.has(task)) return; // in a circle
		depths.set(task, depth);
		for (const child of children.get(task) ?? []) place(child, Math.min(MAX_DEPTH, depth + 1));
	};
	for (const task of children.get(undefined) ?? []) place(task, 0);
	for (const task of tasks) place(task, 0);
	return [...depths].map(([task, depth]) => ({ task, depth }));
}

class AgentLine extends HTMLElement {
	/** @type {any} */
	#line = h("task-line", { role: "none" });
	#heard = timeShown("");
	#used = h("span.agent-used");
	#session = h("a.agent-session");
	#strip = h("div.agent-strip");
	#depth = -1;
	/** @type {{intervals?: any, now?: number}} */
	#drawn = {};

	connectedCallback() {
		if (this.firstChild) return;
		this.setAttribute("role", "listitem");
		this.append(this.#line, h("div.agent-more",
			h("span.agent-heard", t("now.heard"), " ", this.#heard), this.#used, this.#session, this.#strip));
	}

	/** `intervals`: of /api/timeline, which are null where there are too many. */
	show({ task, depth }, intervals) {
		this.#line.task = task;
		this.dataset.status = this.#line.dataset.status;
		if (this.#depth !== depth) {
			this.#depth = depth;
			this.setAttribute("aria-level", `${depth + 1}`);
			this.style.setProperty("--depth", depth);
		}
		attribute(this.#heard, "at", task.updated_at);
		text(this.#used, costOf(task.usage_total ?? task.usage));
		const { project, session } = task;
		this.#session.hidden = !session;
		if (session && this.#session.title !== session) {
			this.#session.title = session;
			this.#session.href = `${paths.project(project)}?${new URLSearchParams({ session })}`;
			this.#session.replaceChildren(t("fact.session"), " ", isolate(session));
		}
		this.#draw(task, intervals);
	}

	/** @param {Task} task */
	#draw({ project, session, agent }, intervals) {
		const isOwn = (one) => one.project === project && (session ? one.session === session : one.agent === agent);
		const now = Math.floor(serverNow() / 60_000) * 60_000;
		if (this.#drawn.intervals === intervals && this.#drawn.now === now) return;
		this.#drawn = { intervals, now };
		const from = now - STRIP_MINUTES * 60_000;
		const minute = (at) => Math.max(0, Math.min(STRIP_MINUTES, (at - from) / 60_000));
		const bars = (intervals ?? []).filter(isOwn).map(({ started_at, finished_at, status }) => {
			const [x, end] = [minute(Date.parse(started_at)), minute(finished_at ? Date.parse(finished_at) : now)];
			return { x, width: Math.max(0.7, end - x), status };
		});
		this.#strip.hidden = !bars.length;
		this.#strip.replaceChildren(svg("svg", {
			viewBox: `0 0 ${STRIP_MINUTES} 10`, preserveAspectRatio: "none", role: "img", "aria-label": t("now.strip"),
		}, bars.map(({ x, width, status }) => svg("rect", { x, y: 1, height: 8, width, "data-status": status }))));
	}
}

customElements.define("agent-line", AgentLine);
