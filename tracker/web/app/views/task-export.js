// @ts-check
// Tasks as a file: JSON, or a table for a spreadsheet.
const COLUMNS = [
	"project", "task_id", "title", "agent", "status", "progress", "attempt", "started_at", "finished_at",
	"duration_seconds", "message", "result", "error_type", "error_message", "cost_usd",
];
// As in tracker/cli/records.py: what a spreadsheet takes for a formula, or skips before one; also where a
// comma is for decimals, and `;` begins cells inside of quoted text.
const FORMULA = /^(?:[\t\r\n]|[^\S\t\r\n]*[=+\-@＝＋－＠])/;
const WITHIN = /(?<=[;\t\r\n])(?='*[^\S\t\r\n]*[=+\-@＝＋－＠])/g;

/** @param {Record<string, any>[]} tasks */
export function asJson(tasks) {
	return `${JSON.stringify(tasks, null, 2)}\n`;
}

/** With a mark at its beginning, by which Excel knows UTF-8. @param {Record<string, any>[]} tasks */
export function asCsv(tasks) {
	const rows = tasks.map((task) => COLUMNS.map((name) => cellOf(name === "cost_usd" ? task.usage?.cost_usd : task[name])));
	return `\ufeff${[COLUMNS, ...rows].map((row) => `${row.join(",")}\r\n`).join("")}`;
}

function cellOf(value) {
	if (typeof value !== "string") return value ?? "";
	const within = value.replace(WITHIN, "'");
	const safe = within !== value || FORMULA.test(value) ? `'${within}` : value;
	return `"${safe.replaceAll('"', '""')}"`;
}
