// @ts-check
// Which tasks belong together with one, and how: what it depends on, what started it, what it started.

/** @typedef {{task_id: string, parent_task_id?: string | null, metadata?: Record<string, any> | null}} Known */
/** @typedef {{from: string, to: string, kind: "needs" | "started"}} Edge `to` needs `from`, or was started by it. */

/**
 * The ids that a task says it depends on.
 * @param {Known | undefined} task
 * @returns {string[]}
 */
export function dependenciesOf(task) {
	const given = task?.metadata?.dependencies;
	const ids = Array.isArray(given) ? given.filter((id) => typeof id === "string" && id !== task?.task_id) : [];
	return [...new Set(ids)];
}

/**
 * The nearest `most` of those that can be reached from `root`, nearest first, with the edges among them.
 * @template {Known} T
 * @param {string} root
 * @param {Map<string, T>} known By their ids.
 * @returns {{ids: string[], edges: Edge[], left: number}} `left`: how many more could be reached.
 */
export function related(root, known, most) {
	/** @type {Map<string, string[]>} */
	const children = new Map();
	/** @type {string[]} */
	const dependents = [];
	for (const task of known.values()) {
		const { task_id: id, parent_task_id: parent } = task;
		if (parent) children.has(parent) ? children.get(parent)?.push(id) : children.set(parent, [id]);
		if (dependenciesOf(task).includes(root)) dependents.push(id);
	}
	const found = new Set([root, ...dependents]);
	// Of what started it, not all else that that has started; of what it needs, only what that needs.
	const [above, below] = [new Set([root]), new Set([root])];
	for (const id of found) {
		const parent = known.get(id)?.parent_task_id;
		if (parent && above.has(id)) found.add(parent), above.add(parent);
		for (const needed of dependenciesOf(known.get(id))) found.add(needed);
		if (below.has(id)) for (const child of children.get(id) ?? []) found.add(child), below.add(child);
	}
	const ids = [...found].slice(0, most);
	const shown = new Set(ids);
	/** @type {Edge[]} */
	const edges = [];
	for (const id of ids) {
		const parent = known.get(id)?.parent_task_id;
		if (parent && parent !== id && shown.has(parent)) edges.push({ from: parent, to: id, kind: "started" });
		for (const needed of dependenciesOf(known.get(id))) if (shown.has(needed)) edges.push({ from: needed, to: id, kind: "needs" });
	}
	return { ids, edges, left: found.size - ids.length };
}
