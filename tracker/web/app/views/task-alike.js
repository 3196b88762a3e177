// @ts-check
// How tasks of the same title went of late: whether this one fails often, or just now.
import { api } from "../data/index.js";

const LATEST = 10;
// Of those that have the same words.
const MOST_COMPARED = 100;
const LONGEST_QUERY = 200;

/**
 * @param {import("../data/store.js").Task} task
 * @returns {Promise<{passed: number, count: number} | null>} null: there is nothing to compare with.
 */
export async function alike({ project, title }) {
	const q = title.slice(0, LONGEST_QUERY).replace(/\S*$/, (word) => (title.length > LONGEST_QUERY ? "" : word));
	if (!q.trim()) return null;
	const { tasks } = await api.tasks(project, { q, status: "completed,failed", limit: MOST_COMPARED });
	const latest = tasks.filter((task) => task.title === title).slice(0, LATEST);
	if (latest.length < 2) return null;
	return { passed: latest.filter(({ status }) => status === "completed").length, count: latest.length };
}
