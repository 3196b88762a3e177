// @ts-check
// Now: what needs a person, which agents are at work, and what ended last, over all projects.
import { cost, fill, h, icon, number, pref, setPref, t, text } from "../lib/index.js";
import { ACTIVE, api, ENDED, keyOf, overview, renewal, store } from "../data/index.js";
import { allCost, emptyStart, failed, figures, heading, RowsInSight, section, View } from "../parts/index.js";
import { agentsShown } from "./now-agents.js";
import { needs } from "./now-needs.js";

const SHOWN_ENDED = 50;
const STRIP_EVERY = 20_000;
const SKELETON_ROWS = 3;
// In pixels: of rows, and of what is above the first. More of them than these leave room for are not in the window.
const LEAST = { need: 70, agent: 52, ended: 28 };
const ABOVE = 100;

class NowView extends View {
	#figures = figures({ completed: t("now.completedToday"), failed: t("now.failedToday"), cost: t("now.costToday") });
	#heading = heading(t("nav.now"), this.#figures.element);
	#needs = h("div.lines", { role: "list", "aria-label": t("status.waiting") });
	#noNeeds = h("p.empty-note", { hidden: true }, icon("check"), " ", t("needs.none"));
	#agents = h("div.lines", { role: "list", "aria-label": t("now.agents") });
	#noAgents = h("p.empty-note", { hidden: true }, t("now.nothingRuns"));
	#skeleton = h("div.skeleton", { "aria-hidden": "true" }, Array.from({ length: SKELETON_ROWS }, () => h("div")));
	#failed = h("div.lines.lines-ended", { role: "list", "aria-label": t("now.failed") });
	#completed = h("div.lines.lines-ended", { role: "list", "aria-label": t("status.completed") });
	#fold = h("summary");
	#folded = h("details.fold", { open: pref("ended") === "open" }, this.#fold, this.#completed);
	#noEnded = h("p.empty-note", { hidden: true }, t("now.nothingEnded"));
	#sections = [
		section(t("status.waiting"), this.#needs, this.#noNeeds),
		section(t("now.agents"), this.#agents, this.#noAgents, this.#skeleton),
		section(t("now.ended"), this.#failed, this.#folded, this.#noEnded),
	];
	/** @type {Set<string>} */
	#needed = new Set();
	#needRows = new RowsInSight(this.#needs, ({ session }) => h(session ? "session-line" : "need-line"), (line, need) =>
		(need.session ? (line.session = need.session) : line.show(need)));
	#intervals = null;
	#agentRows = new RowsInSight(this.#agents, () => h("agent-line"), (line, shown) => line.show(shown));
	#failedRows = lines(this.#failed);
	#completedRows = lines(this.#completed);
	#readStrips = renewal(() => this.isConnected && this.#strips(), STRIP_EVERY);
	#stop = () => {};

	render() {
		this.#folded.addEventListener("toggle", () => {
			if (pref("ended", "") !== this.#isOpen) setPref("ended", this.#isOpen);
		});
		this.#sections[0].classList.add("needs");
		this.append(this.#heading, ...this.#sections);
		for (const part of [this.#sections[0], this.#sections[2]]) part.hidden = true;
		this.#stop = overview.listen((error) => (error ? failed(this, error) : this.#show()));
		if (overview.isRead) this.#show();
	}

	disconnectedCallback() {
		super.disconnectedCallback();
		this.#stop();
	}

	async load() {
		await overview.read();
		if (!this.isConnected) return;
		this.#show();
		if (!store.tasks.size && !overview.sessions.length) fill(this, heading(t("nav.now")), await emptyStart());
		else this.#readStrips();
	}

	/** What goes on as before says something else: no row comes, goes or moves. */
	update(events, isNews) {
		if (isNews) return; // the overview tells
		for (const { data } of events) {
			const task = store.tasks.get(keyOf(data));
			if (task) this.#agentRows.change(keyOf(task), (shown) => ({ ...shown, task }));
		}
	}

	tick() {
		if (overview.isRead) this.#show();
	}

	get #isOpen() {
		return this.#folded.open ? "open" : "";
	}

	#show() {
		if (!this.isConnected || !overview.isRead) return;
		if (!this.#sections[0].isConnected) {
			if (!store.tasks.size && !overview.sessions.length) return;
			fill(this, this.#heading, this.#sections);
		}
		const isFirst = this.#skeleton.isConnected;
		this.#skeleton.remove();
		for (const part of this.#sections) part.hidden = false;
		let left = innerHeight - ABOVE;
		// The first frame has what there is room for: a thousand rows more would put it off.
		const place = (rows, items, keyOf, least, isSeen = true) => {
			const room = isSeen ? Math.max(0, Math.ceil(left / least)) : 0;
			left -= items.length * least;
			rows.show(isFirst ? items.slice(0, room) : items, keyOf, room);
		};
		const found = needs(this.#needed);
		this.#needed = new Set(found.map(({ key }) => key));
		this.#keepFocus(found, () => place(this.#needRows, found, ({ key, session }) => key + Boolean(session), LEAST.need));
		this.#noNeeds.hidden = found.length > 0;
		const active = overview.active.sort((a, b) => newest("started_at", a, b));
		this.#noAgents.hidden = active.length > 0;
		place(this.#agentRows, agentsShown(active.slice(0, ACTIVE), this.#intervals), keyOfItem, LEAST.agent);
		const ended = [...store.tasks.values()].filter(({ status }) => ENDED.has(status))
			.sort((a, b) => newest("finished_at", a, b)).slice(0, SHOWN_ENDED);
		const completed = ended.filter(({ status }) => status === "completed");
		this.#noEnded.hidden = ended.length > 0;
		const asItem = (task) => ({ task });
		place(this.#failedRows, ended.filter(({ status }) => status === "failed").map(asItem), keyOfItem, LEAST.ended);
		place(this.#completedRows, completed.map(asItem), keyOfItem, LEAST.ended, this.#folded.open);
		this.#folded.hidden = !completed.length;
		text(this.#fold, t("count.completed", { count: completed.length }));
		const { completed: done, failed, usage } = overview.today;
		this.#figures.update({ completed: number(done), failed: number(failed), cost: usage === undefined ? "–" : (usage && allCost(usage)) || cost(0) });
		if (isFirst) {
			performance.mark("shown");
			requestAnimationFrame(() => setTimeout(() => this.#show())); // once that frame is drawn
		} else if (active.length) this.#readStrips();
	}

	/** A row that leaves hands the focus to the one that takes its place. */
	#keepFocus(found, show) {
		const at = [...this.#needs.children].findIndex((line) => line.contains(document.activeElement));
		show();
		if (at < 0 || this.#needs.contains(document.activeElement)) return;
		const next = this.#needs.children[Math.min(at, found.length - 1)];
		const link = next?.querySelector(".line-link") ?? this.querySelector("h1");
		/** @type {HTMLElement} */ (link).focus();
	}

	async #strips() {
		try {
			({ intervals: this.#intervals } = await api.timeline({ from: "60m" }));
		} catch {
			return; // there will be others
		}
		this.#show();
	}
}

function newest(field, a, b) {
	return a[field] < b[field] ? 1 : a[field] > b[field] ? -1 : 0;
}

function lines(container) {
	return new RowsInSight(container, () => h("task-line"), (line, { task }) => (line.task = task));
}

const keyOfItem = ({ task }) => keyOf(task);

customElements.define("now-view", NowView);
