// @ts-check
// Now: agents' sessions, what needs a person, what runs and what ended last, over all projects.
import { fill, h, keyed, number, t, throttle } from "../lib/index.js";
import { api, ENDED, isSilent, isWaiting, keyOf, renewal, serverNow, store } from "../data/index.js";
import { emptyStart, figures, heading, section, View } from "../parts/index.js";

// What /api/now gives at most; a list that long may not be all.
const ACTIVE = 500;
const SHOWN_ENDED = 50;
const SHOWN_SESSIONS = 50;
const STATES = ["waiting", "your_turn", "working"];
// No event tells that a task is overdue by now, or that one it waited for was deleted.
const RELOAD_TICKS = 60;

class NowView extends View {
	#figures = figures({
		waiting: t("status.waiting"),
		running: t("status.running"),
		silent: t("status.silent"),
		failed: t("now.failedToday"),
		completed: t("now.completedToday"),
	});
	#sessions = h("div.lines.lines-sessions", { role: "list", "aria-label": t("now.sessions") });
	#sessionsSection = section(t("now.sessions"), this.#sessions);
	#showSessions = keyed(this.#sessions, () => h("session-line"), (line, session) => (line.session = session));
	#active = h("div.lines", { role: "list", "aria-label": t("now.active") });
	#ended = h("div.lines.lines-ended", { role: "list", "aria-label": t("now.ended") });
	#none = h("p.empty-note", t("now.nothingRuns"));
	#body = h("div.now-columns", { hidden: true });
	#showActive = lines(this.#active);
	#showEnded = lines(this.#ended);
	#showSoon = throttle(() => this.#show(), 100);
	#reloadSoon = renewal(() => this.reload(), 3000);
	#ticks = 0;

	render() {
		fill(this.#body,
			section(t("now.active"), this.#active, this.#none),
			section(t("now.ended"), this.#ended));
		this.#sessionsSection.hidden = true;
		this.append(heading(t("nav.now"), this.#figures.element), this.#sessionsSection, this.#body);
	}

	async load() {
		const since = new Date(serverNow() - 2000).toISOString();
		const [{ active, ended, today }, { sessions }] = await Promise.all([
			api.now(), api.sessions({ active: true, limit: SHOWN_SESSIONS }),
		]);
		sessions.sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
		this.#showSessions(sessions, ({ project, session }) => `${project}\0${session}`);
		this.#sessionsSection.hidden = sessions.length === 0;
		const known = new Set([...active, ...ended].map((task) => keyOf(store.merge(task))));
		if (active.length < ACTIVE) store.dropActive((task) => task.updated_at < since && !known.has(keyOf(task)));
		this.#figures.update({ failed: number(today.failed), completed: number(today.completed) });
		if (known.size || sessions.length) this.#show();
		else fill(this, heading(t("nav.now")), await emptyStart());
	}

	update() {
		this.#showSoon();
		this.#reloadSoon();
	}

	tick() {
		if (!this.#body.hidden) this.#show();
		if (++this.#ticks % RELOAD_TICKS === 0) this.#reloadSoon();
	}

	#show() {
		if (!this.isConnected) return;
		if (!this.#body.isConnected) {
			fill(this, heading(t("nav.now"), this.#figures.element), this.#sessionsSection, this.#body);
		}
		const all = [...store.tasks.values()];
		const active = all.filter((task) => !ENDED.has(task.status));
		const ended = all.filter((task) => ENDED.has(task.status));
		active.sort((a, b) => +isWaiting(b) - +isWaiting(a) || (isWaiting(a) && newest("attention_since", b, a)) ||
			+isSilent(b) - +isSilent(a) || newest("started_at", a, b));
		ended.sort((a, b) => newest("finished_at", a, b));
		this.#body.hidden = false;
		this.#none.hidden = active.length > 0;
		this.#showActive(active.slice(0, ACTIVE), keyOf);
		this.#showEnded(ended.slice(0, SHOWN_ENDED), keyOf);
		const running = active.filter((task) => task.status === "running");
		this.#figures.update({
			waiting: number(active.filter(isWaiting).length),
			running: number(running.length) + (active.length < ACTIVE ? "" : "+"),
			silent: number(running.filter((task) => isSilent(task)).length),
		});
	}
}

function newest(field, a, b) {
	return a[field] < b[field] ? 1 : a[field] > b[field] ? -1 : 0;
}

function lines(container) {
	return keyed(container, () => h("task-line"), (line, task) => (line.task = task));
}

customElements.define("now-view", NowView);
