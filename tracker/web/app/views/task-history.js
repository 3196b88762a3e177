// @ts-check
// Lines of a task's log.
import { clockTime, h, icon, isolate, number, t } from "../lib/index.js";
import { api, openedBy, serverNow } from "../data/index.js";
import { markdown, timeShown } from "../parts/index.js";

/** @typedef {import("../data/store.js").LogEvent} LogEvent */

const ICONS = {
	task_started: "running", task_error: "failed", task_finished: "completed", task_silent: "silent",
	task_deleted: "close", project_deleted: "close",
};

/**
 * The status that an event left, as an icon's name.
 * @param {LogEvent} event
 */
export function iconOf(event) {
	const { type, data } = event;
	if (openedBy(event)) return "waiting";
	return ICONS[type] ?? data.status;
}

/**
 * What an event said, in a line.
 * @param {LogEvent} event
 */
export function eventSummary(event) {
	const { data } = event;
	return [askedOf(event), errorOf(data) || data.message || data.result].filter(Boolean).join(" · ");
}

/**
 * All that can be looked for in a line.
 * @param {LogEvent} event
 */
export function wordsOf(event) {
	const { type, data } = event;
	return [t(`event.${type}`), askedOf(event), errorOf(data), data.message, data.result].filter(Boolean).join(" ");
}

/** @param {LogEvent} event */
function askedOf(event) {
	const { data } = event;
	if (data.silent_since) return t("event.since", { time: clockTime(Date.parse(data.silent_since), serverNow()) });
	const opened = openedBy(event);
	return opened && t("event.asks", { text: opened.text });
}

/** @param {LogEvent["data"]} data */
function errorOf({ error_type, error_message }) {
	return [error_type, error_message].filter(Boolean).join(": ");
}

export function attemptRow(n) {
	return h("div.log-attempt", { role: "listitem" }, t("task.attempt", { n }));
}

/** @param {LogEvent} event */
export function eventRow(event) {
	const { id, type, data, timestamp } = event;
	const words = h("div.log-words");
	const show = (data) => words.replaceChildren(...[
		askedOf(event) && h("p", isolate(askedOf(event))),
		errorOf(data) && h("p.log-error", isolate(errorOf(data))),
		data.message && markdown(data.message),
		data.result && markdown(data.result),
	].filter(Boolean));
	show(data);
	if (data.truncated) {
		const whole = h("button.more-button", { type: "button" }, t("task.more"));
		whole.addEventListener("click", () => api.event(id).then(({ data }) => show(data), () => null));
		words.append(whole);
	}
	return h(`div.log-row.log-${iconOf(event)}`, { role: "listitem" },
		timeShown(timestamp, "clock"),
		h("span.log-icon", icon(iconOf(event))),
		h("span.log-kind", t(`event.${type}`), data.late && ` (${t("event.late")})`),
		h("span.log-progress", `${number(data.reported_progress ?? data.progress)} %`),
		words);
}
