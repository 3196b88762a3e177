// @ts-check
// Small charts in SVG. Each has a text that says what it shows, and a title on every bar.
import { duration, h, svg, t, utcDay } from "../lib/index.js";
import { serverNow } from "../data/index.js";

const DAY_MS = 86_400_000;

/** The last `count` days, those without an end included, from the server's list of days. */
export function lastDays(timeline, count) {
	const byDate = new Map(timeline.map((entry) => [entry.date, entry]));
	const today = Math.floor(serverNow() / DAY_MS);
	return Array.from({ length: count }, (_, index) => {
		const date = new Date((today - count + 1 + index) * DAY_MS).toISOString().slice(0, 10);
		return byDate.get(date) ?? { date, completed: 0, failed: 0 };
	});
}

function describe({ date, completed, failed }) {
	return `${utcDay(date)}: ${t("count.completed", { count: completed })}, ${t("count.failed", { count: failed })}`;
}

/** Completed and failed a day, stacked, failed on top. */
export function dayBars(days, { width, height, gap = 2, label }) {
	const most = Math.max(1, ...days.map((d) => d.completed + d.failed));
	const step = width / days.length;
	const scale = (n) => (n ? Math.max(2, (n / most) * (height - 2)) : 0);
	const bars = days.map((d, index) => {
		const x = index * step + gap / 2;
		const [good, bad] = [scale(d.completed), scale(d.failed)];
		const rect = (kind, y, tall) =>
			tall && svg("rect", { class: `chart-${kind}`, x, y, width: step - gap, height: tall, rx: 1 });
		return svg("g", {},
			svg("title", {}, describe(d)),
			svg("rect", { class: "chart-hit", x, y: 0, width: step - gap, height }),
			!good && !bad && svg("rect", { class: "chart-none", x, y: height - 1, width: step - gap, height: 1 }),
			rect("completed", height - good, good),
			rect("failed", height - good - bad - (good ? 1 : 0), bad),
		);
	});
	const total = days.reduce((sum, d) => [sum[0] + d.completed, sum[1] + d.failed], [0, 0]);
	return svg(
		"svg",
		{
			class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
			"aria-label": `${label}: ${t("count.completed", { count: total[0] })}, ${t("count.failed", { count: total[1] })}`,
		},
		bars,
	);
}

/** Progress over time, as steps: points of {at, progress}. */
export function progressChart(points, from, to) {
	const [width, height] = [720, 96];
	const x = (at) => ((at - from) / Math.max(1, to - from)) * width;
	const y = (progress) => height - 1 - (progress / 100) * (height - 2);
	let line = `M0 ${y(points[0].progress)}`;
	for (const { at, progress } of points) line += `H${x(at).toFixed(1)}V${y(progress).toFixed(1)}`;
	line += `H${width}`;
	return h("figure.plot.plot-progress",
		svg("svg", {
			class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
			"aria-label": t("task.progressChart", { percent: points.at(-1).progress, time: duration((to - from) / 1000) }),
		},
			[25, 50, 75].map((p) => svg("line", { class: "chart-grid", x1: 0, x2: width, y1: y(p), y2: y(p) })),
			svg("path", { class: "chart-area", d: `${line}V${height}H0Z` }),
			svg("path", { class: "chart-line", d: line }),
		),
		h("div.plot-axis", { "aria-hidden": "true" },
			h("span", "0"), h("span", duration((to - from) / 1000))),
	);
}
