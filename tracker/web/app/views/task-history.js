// @ts-check
// A task's reports as a log to read: by attempt, the oldest first.
import { clockTime, h, icon, isolate, number, t } from "../lib/index.js";
import { openedBy, serverNow } from "../data/index.js";
import { section, timeShown } from "../parts/index.js";

/** @param {import("../data/store.js").LogEvent[]} events */
export function history(events) {
	const list = h("ol.history");
	/** @type {number | null} */
	let attempt = null;
	for (const event of events) {
		if (event.data.attempt !== attempt) {
			attempt = event.data.attempt;
			list.append(h("li.history-attempt", t("task.attempt", { n: attempt })));
		}
		list.append(entry(event));
	}
	return section(t("task.tab.log"), list);
}

/**
 * The status that an event left, as an icon's name.
 * @param {import("../data/store.js").LogEvent} event
 */
export function iconOf(event) {
	const { type, data } = event;
	if (openedBy(event)) return "waiting";
	return { task_started: "running", task_error: "failed", task_finished: "completed", task_silent: "silent" }[type] ?? data.status;
}

/**
 * What an event said, in a line.
 * @param {import("../data/store.js").LogEvent} event
 */
export function eventSummary(event) {
	const { data } = event;
	if (data.silent_since) return t("event.since", { time: clockTime(Date.parse(data.silent_since), serverNow()) });
	const error = [data.error_type, data.error_message].filter(Boolean).join(": ");
	const opened = openedBy(event);
	return [opened && t("event.asks", { text: opened.text }), error || data.message || data.result].filter(Boolean).join(" · ");
}

/** @param {import("../data/store.js").LogEvent} event */
function entry(event) {
	const { type, data, timestamp } = event;
	const words = eventSummary(event);
	return h(`li.history-entry.history-${iconOf(event)}`,
		timeShown(timestamp, "clock"),
		h("span.history-icon", icon(iconOf(event))),
		h("span.history-kind", t(`event.${type}`), data.late && ` (${t("event.late")})`),
		h("span.history-progress", `${number(data.reported_progress ?? data.progress)} %`),
		words && isolate(words, "div"));
}
