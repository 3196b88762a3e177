// @ts-check
// <task-graph>: what a task depends on and what it started, as a graph and as a list.
import { fill, h, isolate, keyed, paths, svg, t, text } from "../lib/index.js";
import { dependenciesOf, related } from "../lib/graph.js";
import { api, keyOf, shownStatus, store } from "../data/index.js";
import { status } from "../parts/index.js";

const MOST_NODES = 200;
const MOST_OF_SESSION = 500;
// Each is a request of its own.
const MOST_ASKED = 60;
const AT_ONCE = 6;
const [WIDTH, HEIGHT] = [208, 56];
let made = 0;

/** @typedef {import("../data/store.js").Task} Task */

class TaskGraph extends HTMLElement {
	#project;
	#id;
	/** @type {Map<string, Task>} By their ids. */
	#known = new Map();
	/** What has been asked for and is not there. */
	#missing = new Set();
	#arrow = `graph-arrow-${++made}`;
	#shape = "";
	#current;
	/** @type {Map<string, {x: number, y: number}>} The middle of each. */
	#places = new Map();
	#note = h("p.quiet", { role: "status" });
	#edges = svg("svg", { class: "graph-edges", "aria-hidden": "true" });
	#nodes = h("div.graph-nodes", { role: "group", "aria-label": t("graph.label"), onkeydown: (event) => this.#onKey(event), onfocusin: (event) => this.#onFocus(event) });
	#canvas = h("div.graph-canvas", this.#edges, this.#nodes);
	#frame = h("div.graph-frame", this.#canvas);
	#words = h("ul.sr-only", { "aria-label": t("graph.words") });
	#showNodes = keyed(this.#nodes, (id) => this.#node(id), (node, id) => this.#showNode(node, id));
	#list = h("div.lines", { role: "list", "aria-label": t("task.subtasks") });
	#startedByIt = h("section.section", h("h2", t("task.subtasks")), this.#list);
	#showList = keyed(this.#list, () => h("task-line"), (line, task) => (line.task = task));

	/** @param {string} project @param {string} id */
	constructor(project, id) {
		super();
		this.#project = project;
		this.#id = this.#current = id;
	}

	connectedCallback() {
		if (!this.firstChild) this.append(this.#note, this.#frame, this.#words, this.#startedByIt);
	}

	/** @param {Task} task Read anew, with what belongs to it. */
	async load(task) {
		const of = task.session ? { session: task.session } : { parent: task.task_id };
		const { tasks } = await api.tasks(this.#project, { ...of, limit: MOST_OF_SESSION });
		this.#know([task, ...tasks]);
		await this.#askForMore();
		await this.#show();
	}

	/** Events have arrived; the store has applied them. */
	update(events) {
		const ours = new Set(events.filter(({ data }) => data.project === this.#project).map(({ data }) => data.task_id));
		const tasks = [...ours].map((task_id) => store.tasks.get(keyOf({ project: this.#project, task_id })));
		const related = tasks.filter((task) => task && (
			this.#known.has(task.task_id) || this.#missing.has(task.task_id) || this.#known.has(task.parent_task_id ?? "")
			|| dependenciesOf(task).some((id) => this.#known.has(id))));
		if (!related.length) return;
		this.#know(related);
		this.#show();
	}

	#know(tasks) {
		for (const task of tasks) {
			this.#missing.delete(task.task_id);
			this.#known.set(task.task_id, store.merge({ project: this.#project, ...task }));
		}
	}

	/** Those that are named, and that no list so far has held. */
	async #askForMore() {
		let asked = 0;
		for (;;) {
			const { ids } = related(this.#id, this.#known, MOST_NODES);
			const unknown = ids.filter((id) => !this.#known.has(id) && !this.#missing.has(id)).slice(0, AT_ONCE);
			if (!unknown.length || asked >= MOST_ASKED) return;
			asked += unknown.length;
			const found = await Promise.all(unknown.map((task_id) => api.allTasks({ project: this.#project, task_id, limit: 1 })));
			unknown.forEach((id) => this.#missing.add(id));
			this.#know(found.flatMap(({ tasks }) => tasks));
		}
	}

	async #show() {
		const { ids, edges, left } = related(this.#id, this.#known, MOST_NODES);
		const isAlone = ids.length === 1;
		this.#frame.hidden = this.#words.hidden = isAlone;
		text(this.#note, isAlone ? t("graph.alone") : left ? t("graph.left", { shown: ids.length, count: left }) : "");
		const started = [...this.#known.values()].filter(({ parent_task_id: parent }) => parent === this.#id);
		this.#startedByIt.hidden = !started.length;
		this.#showList(started.sort((a, b) => (a.started_at < b.started_at ? -1 : 1)), keyOf);
		if (isAlone) return this.#showNodes([], String);
		const shape = JSON.stringify([ids, edges]);
		if (shape !== this.#shape) {
			this.#shape = shape;
			const { place } = await import("./task-graph-layout.js");
			if (shape !== this.#shape) return; // another has come meanwhile
			this.#lay(place(ids, edges, WIDTH, HEIGHT));
		}
		this.#showNodes(ids, (id) => id);
		fill(this.#words, ids.map((id) => h("li", this.#sentence(id, edges))));
	}

	#lay({ width, height, places, lines }) {
		const isFirst = !this.#places.size;
		this.#places = places;
		for (const { style } of [this.#canvas, this.#edges]) Object.assign(style, { width: `${width}px`, height: `${height}px` });
		fill(this.#edges,
			svg("defs", {}, svg("marker", { id: this.#arrow, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
				svg("path", { d: "M0 0L8 4L0 8z" }))),
			lines.map(({ kind, points }) => svg("path", {
				class: `graph-edge graph-${kind}`, "marker-end": `url(#${this.#arrow})`,
				d: points.map(({ x, y }, at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""),
			})));
		const here = places.get(this.#id);
		const { clientWidth, clientHeight } = this.#frame;
		if (isFirst) this.#frame.scrollTo(here.x - clientWidth / 2, here.y - clientHeight / 2);
	}

	#node(id) {
		return h("a.graph-node", { href: paths.task(this.#project, id), "data-id": id },
			h("span.graph-title", isolate("")), h("span.graph-status"));
	}

	#showNode(node, id) {
		const task = this.#known.get(id);
		const { x, y } = this.#places.get(id) ?? { x: 0, y: 0 };
		node.style.transform = `translate(${x - WIDTH / 2}px, ${y - HEIGHT / 2}px)`;
		node.tabIndex = id === this.#current ? 0 : -1;
		node.toggleAttribute("data-unknown", !task);
		if (id === this.#id) node.setAttribute("aria-current", "page");
		text(node.querySelector("bdi"), task?.title ?? id);
		node.title = task?.title ?? id;
		const shown = task ? shownStatus(task) : "";
		if (node.dataset.status === shown) return;
		node.dataset.status = shown;
		node.lastChild.replaceChildren(task ? status(shown) : t("graph.unknown"));
	}

	/** What the graph says of one, for whoever does not see it. */
	#sentence(id, edges) {
		const titleOf = (id) => isolate(this.#known.get(id)?.title ?? id);
		const task = this.#known.get(id);
		const from = (kind) => edges.filter((edge) => edge.to === id && edge.kind === kind)
			.flatMap((edge, at) => [at > 0 && ", ", titleOf(edge.from)]);
		const [needs, started] = [from("needs"), from("started")];
		return [titleOf(id), ": ", task ? t(`status.${shownStatus(task)}`) : t("graph.unknown"),
			needs.length > 0 && ["; ", t("graph.needs"), " ", needs],
			started.length > 0 && ["; ", t("graph.started"), " ", started]];
	}

	#onFocus({ target }) {
		const id = target.dataset?.id;
		if (id === undefined) return;
		this.#current = id;
		for (const node of this.#nodes.children) /** @type {any} */ (node).tabIndex = /** @type {any} */ (node).dataset.id === id ? 0 : -1;
	}

	#onKey(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const ids = [...this.#places.keys()];
		const next = { Home: ids[0], End: ids.at(-1) }[event.key] ?? this.#beside(event.key);
		if (next === undefined) return;
		event.preventDefault();
		/** @type {any} */ ([...this.#nodes.children].find((node) => /** @type {any} */ (node).dataset.id === next))?.focus();
	}

	/** The nearest one in the direction of an arrow key. */
	#beside(key) {
		const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
		const here = this.#places.get(this.#current);
		if (!way || !here) return undefined;
		const [dx, dy] = way;
		const far = [...this.#places].map(([id, { x, y }]) => {
			const along = (x - here.x) * dx + (y - here.y) * dy;
			const across = Math.abs((x - here.x) * dy) + Math.abs((y - here.y) * dx);
			return { id, along, far: along + 2 * across };
		}).filter(({ along }) => along > 1);
		return far.reduce((nearest, one) => (!nearest || one.far < nearest.far ? one : nearest), /** @type {any} */ (undefined))?.id;
	}
}

customElements.define("task-graph", TaskGraph);

/** @param {ConstructorParameters<typeof TaskGraph>} given */
export function taskGraph(...given) {
	return new TaskGraph(...given);
}
