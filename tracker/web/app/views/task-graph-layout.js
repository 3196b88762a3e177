// @ts-check
// Where the nodes of a graph stand: loaded when a graph is first shown.
import { Graph, layout } from "@dagrejs/dagre";

/**
 * @param {string[]} ids
 * @param {import("../lib/graph.js").Edge[]} edges
 */
export function place(ids, edges, width, height) {
	const graph = new Graph({ multigraph: true });
	graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 56, marginx: 8, marginy: 8 });
	graph.setDefaultEdgeLabel(() => ({}));
	for (const id of ids) graph.setNode(id, { width, height });
	for (const { from, to, kind } of edges) graph.setEdge(from, to, {}, kind);
	layout(graph);
	const { width: whole = 0, height: high = 0 } = graph.graph();
	return {
		width: whole, height: high,
		places: new Map(ids.map((id) => [id, { x: graph.node(id).x, y: graph.node(id).y }])),
		lines: edges.map(({ from, to, kind }) => ({ kind, points: graph.edge(from, to, kind).points })),
	};
}
