// @ts-check
// An agent at work: its task, when it was last heard of, what it has used, its last hour. What it has
// started stands below it.
import { attribute, h, isolate, paths, svg, t, text } from "../lib/index.js";
import { isOverdue, keyOf, serverNow } from "../data/index.js";
import { costOf, timeShown } from "../parts/index.js";

/** @typedef {import("../data/store.js").Task} Task */
/**
 * All that a line shows. `intervals`: of /api/timeline, null where there are too many; `minute`: that it is
 * now, in milliseconds; `overdue`: whether time has made the task so.
 * @typedef {{task: Task, depth: number, intervals: any, minute: number, overdue: boolean}} Shown
 */

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

/**
 * As lines show them.
 * @param {Task[]} tasks
 * @returns {Shown[]}
 */
export function agentsShown(tasks, intervals) {
	const minute = Math.floor(serverNow() / 60_000) * 60_000;
	return nested(tasks).map(({ task, depth }) => ({ task, depth, intervals, minute, overdue: isOverdue(task) }));
}

class AgentLine extends HTMLElement {
	#parts = /** @type {ReturnType<typeof parts> | null} */ (null);
	/** @type {Partial<Shown>} */
	#shown = {};

	connectedCallback() {
		this.setAttribute("role", "listitem");
	}

	/** @param {Shown} shown */
	show(shown) {
		const { line, heard, used, session: link, strip } = (this.#parts ??= parts(this));
		const { task, depth, intervals, minute } = shown;
		const before = this.#shown;
		this.#shown = shown;
		line.task = task;
		attribute(this, "data-status", line.dataset.status);
		if (before.depth !== depth) {
			this.setAttribute("aria-level", `${depth + 1}`);
			this.style.setProperty("--depth", `${depth}`);
		}
		attribute(heard, "at", task.updated_at);
		text(used, costOf(task.usage_total ?? task.usage));
		const { project, session } = task;
		link.hidden = !session;
		if (session && link.title !== session) {
			link.title = session;
			link.setAttribute("href", `${paths.project(project)}?${new URLSearchParams({ session })}`);
			link.replaceChildren(t("fact.session"), " ", isolate(session));
		}
		if (before.intervals !== intervals || before.minute !== minute) this.#draw(strip, shown);
	}

	/** @param {HTMLElement} strip @param {Shown} shown */
	#draw(strip, { task: { project, session, agent }, intervals, minute: now }) {
		const isOwn = (one) => one.project === project && (session ? one.session === session : one.agent === agent);
		const from = now - STRIP_MINUTES * 60_000;
		const minute = (at) => Math.max(0, Math.min(STRIP_MINUTES, (at - from) / 60_000));
		const bars = (intervals ?? []).filter(isOwn).map(({ started_at, finished_at, status }) => {
			const [x, end] = [minute(Date.parse(started_at)), minute(finished_at ? Date.parse(finished_at) : now)];
			return { x, width: Math.max(0.7, end - x), status };
		});
		strip.hidden = !bars.length;
		strip.replaceChildren(svg("svg", {
			viewBox: `0 0 ${STRIP_MINUTES} 10`, preserveAspectRatio: "none", role: "img", "aria-label": t("now.strip"),
		}, bars.map(({ x, width, status }) => svg("rect", { x, y: 1, height: 8, width, "data-status": status }))));
	}
}

/** What a line is made of, once it has something to show. */
function parts(line) {
	const all = {
		line: /** @type {any} */ (h("task-line", { role: "none" })),
		heard: timeShown(""), used: h("span.agent-used"), session: h("a.agent-session"), strip: h("div.agent-strip"),
	};
	line.append(all.line, h("div.agent-more",
		h("span.agent-heard", t("now.heard"), " ", all.heard), all.used, all.session, all.strip));
	return all;
}

customElements.define("agent-line", AgentLine);
