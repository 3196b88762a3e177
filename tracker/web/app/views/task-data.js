// @ts-check
// All that the server holds of a task: metadata and fields as trees, and as JSON.
import { h, t } from "../lib/index.js";
import { serverNow } from "../data/index.js";
import { copyButton, jsonTree, progressChart, section } from "../parts/index.js";

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {import("../data/store.js").LogEvent} LogEvent */

/**
 * @param {Task} task
 * @param {LogEvent[]} events
 */
export function data(task, events) {
	const { metadata, ...fields } = task;
	return [
		metadata && Object.keys(metadata).length > 0 && section(t("task.metadata"), jsonTree(metadata)),
		chart(task, events),
		section(t("task.fields"), jsonTree(fields)),
		json({ ...task, events }),
	];
}

function chart(task, events) {
	const ofAttempt = events.filter(({ data }) => data.attempt === task.attempt && !data.late);
	const points = ofAttempt.map(({ data, timestamp }) => ({ at: Date.parse(timestamp), progress: data.progress }));
	if (points.length < 3 || points.every(({ progress }) => !progress)) return null;
	const end = task.finished_at ? Date.parse(task.finished_at) : serverNow();
	return section(t("task.overTime"), progressChart(points, points[0].at, end));
}

function json(value) {
	const raw = () => JSON.stringify(value, null, 2);
	const pre = h("pre.raw", { tabindex: "0" });
	const details = h("details.section.raw-json", h("summary", t("task.json")), pre, copyButton(t("copy.copy"), raw));
	details.addEventListener("toggle", () => details.open && !pre.textContent && (pre.textContent = raw()));
	return details;
}
