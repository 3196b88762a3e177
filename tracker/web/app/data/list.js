// @ts-check
// The list of tasks that one came from: what chooses its tasks, and their order.
import { api } from "./api.js";
import { keyOf, store } from "./store.js";

/**
 * @typedef {{project: string, filters: Record<string, string>, sort: {by: string, order: string}}} List
 * `project`: "" if it is of all.
 */

const PAGE = 200;
const MOST_PAGES = 25;
const NEWEST = { by: "started_at", order: "desc" };

/** @type {List | null} */
let last = null;

/** @param {List} list */
export function keepList(list) {
	last = list;
}

export function forgetList() {
	last = null;
}

/**
 * The list that a task is seen in: the one that one came from, else its project's.
 * @param {string} project
 * @returns {List}
 */
export function listFor(project) {
	return last ?? { project, filters: {}, sort: NEWEST };
}

/** @param {List} list @param {Record<string, any>} query @returns {Promise<{tasks: import("./store.js").Task[], total: number}>} */
export async function readList({ project, filters, sort }, query) {
	const whole = { ...filters, sort_by: sort.by, sort_order: sort.order, ...query };
	const answer = await (project ? api.tasks(project, whole) : api.allTasks(whole));
	return { ...answer, tasks: answer.tasks.map((task) => store.merge({ ...task, project: task.project ?? project })) };
}

/**
 * Below zero: `a` comes first. Those without a value come last, as the server has it.
 * @param {List["sort"]} sort
 * @param {import("./store.js").Task} a
 * @param {import("./store.js").Task} b
 */
export function order({ by, order }, a, b) {
	const [x, y] = [a[by], b[by]];
	if (x === y) return 0;
	if (x == null || y == null) return x == null ? 1 : -1;
	return (x < y ? -1 : 1) * (order === "desc" ? -1 : 1);
}

/**
 * The failed task of a list that comes after another one of it, or before it.
 * @param {List} list
 * @param {import("./store.js").Task | null} from null: before all of them.
 * @param {1 | -1} step
 */
export async function nextFailed(list, from, step) {
	const { status } = list.filters;
	if (status && !status.split(",").includes("failed")) return null;
	/** @type {import("./store.js").Task | null} */
	let before = null;
	let hasPassed = !from;
	for (let page = 0; page < MOST_PAGES; page++) {
		const { tasks } = await readList(list, { status: "failed", offset: page * PAGE, limit: PAGE });
		for (const task of tasks) {
			const isSame = from !== null && keyOf(task) === keyOf(from);
			const isAfter = !isSame && (hasPassed || order(list.sort, task, /** @type {import("./store.js").Task} */ (from)) > 0);
			if (step > 0 && isAfter) return task;
			if (step < 0 && (isSame || isAfter)) return before;
			hasPassed ||= isSame;
			before = task;
		}
		if (tasks.length < PAGE) break;
	}
	return step < 0 ? before : null;
}
