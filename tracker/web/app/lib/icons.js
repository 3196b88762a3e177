// @ts-check
// Line icons on a 16 × 16 grid. A status is told by its shape as well as by its colour.
import { svg } from "./dom.js";

const PATHS = {
	pending: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11",
	running: ["M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11", "M6.6 5.4v5.2L11 8z"],
	completed: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11 M5.4 8.2l1.9 1.9l3.4-4",
	failed: "M8 1.9l6.1 6.1L8 14.1L1.9 8z M6.2 6.2l3.6 3.6M9.8 6.2l-3.6 3.6",
	waiting: "M2.5 2.8h11v7.6H8.4l-3.2 2.9v-2.9H2.5z M8 4.8v2.1M8 8.5v.1",
	yours: "M3 4l4.5 4L3 12M8.5 12.5H14",
	silent: "M8 2.2l6.2 11H1.8z M8 6.4v3.2M8 11.4v.1",
	now: "M1.5 8h3l2-4.5l3 9l2-4.5h3",
	projects: "M2 4.5h4l1.5 1.5H14v6.5H2z",
	insights: "M3 13V8M8 13V3M13 13V6",
	events: "M3 4h10M3 8h10M3 12h6",
	tasks: "M2.5 3.5h2v2h-2zM2.5 10.5h2v2h-2z M7 4.5h6.5M7 11.5h6.5M7 8h4",
	language: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11 M2.5 8h11M8 2.5c-4 4-4 7 0 11c4-4 4-7 0-11",
	settings: "M2 5h6M11 5h3M2 11h3M8 11h6 M9.5 3.5v3M6.5 9.5v3",
	search: "M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9 M10.3 10.3L14 14",
	copy: "M5.5 5.5h8v8h-8z M3.5 10.5h-1v-8h8v1",
	brand: "M2 4h8 M5.5 8H14 M3 12h5",
	pause: "M5 3v10M11 3v10",
	play: "M5 3l8 5l-8 5z",
	plus: "M8 3v10M3 8h10",
	minus: "M3 8h10",
	left: "M10 3L5 8l5 5",
	right: "M6 3l5 5l-5 5",
	theme: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11 M8 2.5v11 M8 5l3.5 0M8 8h5.3M8 11h3.5",
	help: "M6 6a2 2 0 1 1 2.8 1.9Q8 8.3 8 9.4M8 12v.1",
	out: "M6 3H3v10h3M7 8h7M11 5l3 3l-3 3",
	key: "M10.5 2.5a3 3 0 1 1 0 6a3 3 0 0 1 0-6 M8.4 7.6L2.5 13.5M4.6 11.4l1.7 1.7",
	check: "M3 8.5l3.2 3.3L13 4.5",
	snooze: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11 M8 5v3.2l2.2 1.6",
	overdue: "M4 2.5h8M4 13.5h8M5 2.5c0 3 1.6 4 3 5.5c1.4-1.5 3-2.5 3-5.5M5 13.5c0-3 1.6-4 3-5.5c1.4 1.5 3 2.5 3 5.5",
	trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9",
	save: "M8 2.5v7.5M5 7.3l3 3l3-3M2.5 13.5h11",
	columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
	close: "M4 4l8 8M12 4l-8 8",
};

/** One of each: there are some in every row, and a copy is made in a tenth of the time. */
const made = new Map();

/** An icon is decoration: what it means stands beside it, or in its parent's name. */
export function icon(name) {
	if (!made.has(name)) made.set(name, make(name));
	return made.get(name).cloneNode(true);
}

function make(name) {
	return svg(
		"svg",
		{ viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" },
		[PATHS[name]].flat().map((d) => svg("path", { d })),
	);
}
