// @ts-check
// "[" and "]": to the failed task before, or after, in the list in sight or the one that one came from.
import { current, go, paths, t } from "../lib/index.js";
import { api, keyOf, listFor, nextFailed, store } from "../data/index.js";
import { sidePanel } from "./side-panel.js";
import { notice } from "./notice.js";

let isBusy = false;

/** @param {1 | -1} step */
export async function toFailure(step) {
	if (isBusy) return; // a key that is held down
	isBusy = true;
	try {
		if (!await find(step)) notice(t("panel.noFailure"));
	} catch (error) {
		notice(error.status ? error.message : t("problem.unreachable"));
	}
	isBusy = false;
}

async function find(step) {
	const { name, args: [project, id] } = current();
	const table = /** @type {any} */ (document.querySelector("main task-table"));
	if (table) return table.toFailure(step);
	if (name !== "task") return amongRows(step);
	const from = store.tasks.get(keyOf({ project, task_id: id })) ?? { ...await api.task(project, id), project };
	const task = await nextFailed(listFor(project), from, step);
	if (task && current().args[1] === id) go(paths.task(task.project, task.task_id));
	return task;
}

/** In lists that are in the page as a whole. */
function amongRows(step) {
	/** @type {HTMLElement[]} */
	const links = [...document.querySelectorAll("main a[data-row][href]")].map((link) => /** @type {HTMLElement} */ (link))
		.filter((link) => link.checkVisibility());
	const at = links.findIndex((link) => (sidePanel.hasFocus ? link.ariaCurrent === "true" : link === document.activeElement));
	const others = step > 0 ? links.slice(at + 1) : links.slice(0, Math.max(0, at)).reverse();
	const next = others.find((link) => link.closest("[data-status]")?.getAttribute("data-status") === "failed");
	if (next) reach(next);
	return next;
}

/** The focus goes to a row; if a task is open beside the list, its task opens instead. */
export function reach(link) {
	const wasInside = sidePanel.hasFocus;
	link.scrollIntoView({ block: "nearest" });
	link.focus({ preventScroll: true });
	if (sidePanel.of) sidePanel.open(link, { focus: wasInside });
}
