// @ts-check
// What one agent did by bins of time: how many tasks ran, and at the foot where some ended. Paths, not a
// canvas: the theme colours them, and another window is another viewBox, nothing drawn anew.
import { svg } from "../lib/index.js";

const HEIGHT = 32;
const FOOT = 5;

/**
 * @param {import("../data/timeline.js").Track} track
 * @param {number} most How many run at once where the lane is full.
 * @param {string} label What it shows, for those who don't see it.
 */
export function laneBins({ running, completed, failures }, most, label) {
	const top = HEIGHT - FOOT - 1;
	const high = (count) => Math.max(2, (count / most) * top);
	return svg("svg", { class: "lane-bins", preserveAspectRatio: "none", role: "img", "aria-label": label },
		svg("title", {}, label),
		svg("path", { class: "bins-running", d: bars(running, (count) => [top - high(count), high(count)]) }),
		svg("path", { class: "bins-completed", d: bars(completed, () => [HEIGHT - FOOT, FOOT]) }),
		svg("path", { class: "bins-failed", d: bars(failures, () => [HEIGHT - FOOT, FOOT]) }));
}

/** @param {SVGElement} lane @param {number} first The first bin in sight, in parts too. @param {number} count */
export function showBins(lane, first, count) {
	lane.setAttribute("viewBox", `${first} 0 ${count} ${HEIGHT}`);
}

/** @param {number[]} counts @param {(count: number) => [number, number]} box Where a bar begins, and how high it is. */
function bars(counts, box) {
	return counts.map((count, bin) => {
		if (!count) return "";
		const [y, height] = box(count);
		return `M${bin} ${y.toFixed(1)}h0.94v${height.toFixed(1)}h-0.94z`;
	}).join("");
}
