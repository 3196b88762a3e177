// @ts-check
// What somebody may have to see to: what a task asks of a person; that it is silent, overdue, blocked.
// Each in two steps: what is to be shown, by which one sees whether that has changed; and its element.
import { duration, h, icon, isolate, paths, t } from "../lib/index.js";
import { isBlocked, isOverdue, isSilent, isWaiting, keyOf, store } from "../data/index.js";
import { status, timeShown } from "../parts/index.js";

const NAMED = 20;

/** @typedef {import("../data/store.js").Task} Task */

/**
 * All that a task asks, what it has asked for longest first.
 * @param {Task} task
 */
export function requestsOf({ requests, attention: text, attention_since: since, ...task }) {
	if (!isWaiting({ ...task, attention: text })) return [];
	return requests?.length ? requests : [{ text, since }];
}

export function asked(requests) {
	return requests.length > 0 && h("section.asked",
		h("h2", icon("waiting"), t("task.asks")),
		h("ul", requests.map(({ text, since }) => h("li", isolate(text, "p"),
			h("p.quiet", t("task.since"), " ", timeShown(since, "clock"), " · ", timeShown(since))))));
}

/** @param {Task} task */
export function noted(task) {
	const { project, metadata } = task;
	const given = isBlocked(task) && metadata?.dependencies;
	const needed = Array.isArray(given) ? given.filter((id) => typeof id === "string") : [];
	return {
		silent: isSilent(task),
		overdue: isOverdue(task) && (metadata?.estimated_duration ?? 0),
		needed: needed.slice(0, NAMED).map((id) => ({
			id, project, status: store.tasks.get(keyOf({ project, task_id: id }))?.status,
		})),
	};
}

/** @param {ReturnType<typeof noted>} notes */
export function notes({ silent, overdue, needed }) {
	return [
		silent && h("p.note", t("task.silentNote")),
		overdue !== false && h("p.note", t("task.overdueNote", { time: duration(overdue) })),
		needed.length > 0 && h("div.note", h("p", t("task.blockedNote")), h("ul", needed.map((task) =>
			h("li", h("a", { href: paths.task(task.project, task.id) }, isolate(task.id)), " ",
				task.status && status(task.status))))),
	];
}
