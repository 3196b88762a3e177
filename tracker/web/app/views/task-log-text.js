// @ts-check
// A task's log as text, and as a file.
import { iconOf, eventSummary } from "./task-history.js";

/** @typedef {import("../data/store.js").LogEvent} LogEvent */

/** @param {LogEvent[]} events */
export function asText(events) {
	return events.map((event) => `${event.timestamp} ${String(event.data.progress).padStart(3)} % ${iconOf(event)} ${eventSummary(event)}\n`);
}

/** @param {LogEvent[]} events */
export function asJsonLines(events) {
	return events.map((event) => `${JSON.stringify(event)}\n`);
}

/** @param {string[]} parts */
export function save(parts, type, name) {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob(parts, { type }));
	link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(-120);
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
