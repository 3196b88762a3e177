// @ts-check
// Where bars of time lie in the lanes of a timeline: none over another, and what a task has started
// right below it, in its lane. Pure: tests/web/test_dashboard_modules.py.

/**
 * @typedef {{key: string, parent: string | null, agent: string, start: number, end: number}} Bar
 */

/**
 * @template {Bar} B
 * @typedef {{start: number, end: number, rows: number, placed: {bar: B, row: number, depth: number}[]}} Block A bar with those below it.
 */

/**
 * @template {Bar} B
 * @param {B[]} bars
 * @param {number} shortest How long a bar is shown at least.
 * @param {number} apart How far from the one before in its row.
 * @returns {{agent: string, rows: number, placed: Block<B>["placed"]}[]} By the agents' names.
 */
export function lanes(bars, shortest, apart = 0) {
	const known = new Set(bars.map(({ key }) => key));
	/** @type {Map<string | null, B[]>} */
	const children = new Map();
	for (const bar of [...bars].sort((a, b) => a.start - b.start)) {
		const parent = bar.parent !== null && known.has(bar.parent) ? bar.parent : null;
		children.set(parent, [...(children.get(parent) ?? []), bar]);
	}
	const seen = new Set();
	/** @param {B} bar @param {number} depth @returns {Block<B>} */
	const block = (bar, depth) => {
		seen.add(bar.key);
		const below = (children.get(bar.key) ?? []).filter(({ key }) => !seen.has(key)).map((child) => block(child, depth + 1));
		const inner = stacked(below, apart);
		return {
			start: Math.min(bar.start, ...below.map(({ start }) => start)),
			end: Math.max(bar.end, bar.start + shortest, ...below.map(({ end }) => end)),
			rows: 1 + inner.rows,
			placed: [{ bar, row: 0, depth }, ...inner.placed.map((one) => ({ ...one, row: one.row + 1 }))],
		};
	};
	const roots = (children.get(null) ?? []).map((bar) => block(bar, 0));
	for (const bar of bars) if (!seen.has(bar.key)) roots.push(block(bar, 0)); // in a circle
	/** @type {Map<string, Block<B>[]>} */
	const byAgent = new Map();
	for (const root of roots.sort((a, b) => a.start - b.start)) {
		const { agent } = root.placed[0].bar;
		byAgent.set(agent, [...(byAgent.get(agent) ?? []), root]);
	}
	return [...byAgent].sort(([a], [b]) => a.localeCompare(b)).map(([agent, blocks]) => ({ agent, ...stacked(blocks, apart) }));
}

/**
 * Each in the first rows that are free by then.
 * @template {Bar} B
 * @param {Block<B>[]} blocks
 * @param {number} apart
 */
function stacked(blocks, apart) {
	/** @type {number[]} */
	const free = [];
	/** @type {Block<B>["placed"]} */
	const placed = [];
	for (const { start, end, rows, placed: own } of blocks) {
		let first = 0;
		while (free.slice(first, first + rows).some((until) => until > start)) first++;
		for (let row = first; row < first + rows; row++) free[row] = end + apart;
		placed.push(...own.map((one) => ({ ...one, row: one.row + first })));
	}
	return { rows: free.length, placed };
}
