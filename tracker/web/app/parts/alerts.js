// @ts-check
// Tells a person at once what has just happened: by toasts where the page is seen; otherwise by its
// title, and by one desktop notification for all of it, if the user asked for that.
import { go, h, paths, pref, t, text } from "../lib/index.js";
import { api, holds, idOf, Judge, keyOf, overview, serverNow, store } from "../data/index.js";
import { chime } from "./sound.js";
import { Toasts } from "./toasts.js";

/** @typedef {import("../data/alerts.js").Alert} Alert */

// What comes within this time is told together.
const GATHER_MS = 2000;
// Lines of a notification.
const NAMED = 3;
// Of a page that is left alone for days.
const KEPT = 1000;

export class Alerts {
	unseen = 0;
	#judge = new Judge();
	#toasts = new Toasts();
	/** For screen readers, of what stands on the page of its task, which has no toast. */
	#said = h("p.sr-only", { role: "status" });
	#onChange;
	/** What came while nobody looked, the newest first. @type {Alert[]} */
	#missed = [];
	/** @type {Notification | null} */
	#notification = null;
	#timer = 0;
	elements = [this.#said, this.#toasts.element];

	constructor(onChange) {
		this.#onChange = onChange;
		store.subscribe((events) => (events ? this.#toasts.keep(isStillSo) : this.#forget()));
		overview.listen(() => this.#tell(this.#judge.turns(overview.sessions, serverNow())));
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) return;
			this.unseen = 0;
			this.#missed = [];
			this.#notification?.close();
			this.#onChange();
		});
	}

	/** @param {import("../data/store.js").LogEvent[]} events Heard as they happened. */
	hear(events) {
		this.#tell(this.#judge.of(events, serverNow()).filter(isStillSo));
		if (document.hidden && this.#judge.isAsking) this.#gather();
	}

	/** @param {Alert[]} alerts */
	#tell(alerts) {
		if (!alerts.length) return;
		if (document.hidden) {
			this.unseen += alerts.length;
			const again = new Set(alerts.map(idOf));
			const before = this.#missed.filter((alert) => !again.has(idOf(alert)));
			this.#missed = [...[...alerts].reverse(), ...before].slice(0, KEPT);
			this.#onChange();
			return this.#gather();
		}
		const shown = alerts.filter(({ task }) => !isInSight(task));
		const asked = alerts.findLast(({ kind, task }) => kind === "attention" && isInSight(task));
		if (asked) text(this.#said, `${titleOf(asked)}. ${asked.words}`);
		if (!shown.length) return;
		this.#toasts.add(shown);
		chime();
	}

	#gather() {
		if (!mayNotify() && pref("sound") !== "on") return;
		this.#timer ||= setTimeout(async () => {
			if (this.#judge.isAsking) await this.#readTurns();
			this.#timer = 0;
			if (document.hidden) this.#notify();
		}, GATHER_MS);
	}

	/** A hidden page reads nothing else, so nobody else asks for them. If that fails, the next one tells. */
	async #readTurns() {
		const { sessions } = await api.sessions({ active: true, limit: 50 }).catch(() => ({ sessions: [] }));
		this.#tell(this.#judge.turns(sessions, serverNow()));
	}

	/** One takes the place of the one before, and holds what that held. */
	#notify() {
		this.#missed = this.#missed.filter(isStillSo);
		const [first] = this.#missed;
		if (!first) return;
		chime();
		if (!mayNotify()) return;
		const count = this.#missed.length;
		const title = count > 1 ? t("alert.several", { count }) : titleOf(first);
		const lines = count > 1 ? this.#missed.slice(0, NAMED).map(titleOf) : [aboutOf(first)];
		if (count > NAMED) lines.push(t("alert.more", { count: count - NAMED }));
		/** @type {any} `renotify` is not in the types, since Safari does not know it. */
		const options = { body: lines.join("\n"), tag: "tracker", renotify: true };
		const notification = (this.#notification = new Notification(title, options));
		const path = count > 1 ? paths.now() : pathOf(first);
		notification.onclick = () => {
			window.focus();
			go(path);
		};
		// What the user has put away is not told again.
		notification.onclose = () => {
			if (this.#notification === notification) this.#missed = [];
		};
	}

	/** Nothing of it is for who looks next. */
	#forget() {
		clearTimeout(this.#timer);
		this.#timer = 0;
		this.#missed = [];
		this.#judge.forget();
		this.#toasts.clear();
		text(this.#said, "");
	}
}

function mayNotify() {
	return pref("notify") === "on" && "Notification" in window && Notification.permission === "granted";
}

/** @param {Alert} alert */
function isStillSo(alert) {
	return holds(alert, store.tasks.get(keyOf(alert.task)));
}

function pathOf({ task }) {
	return paths.task(task.project, task.task_id);
}

/** Whether it is before the user's eyes, on its own page or beside a list. */
function isInSight(task) {
	const path = pathOf({ task });
	return [...document.querySelectorAll("task-view")].some((view) => /** @type {HTMLElement} */ (view).dataset.task === path);
}

/** @param {Alert} alert */
function titleOf({ kind, task }) {
	return t(`alert.${kind}`, { title: task.title });
}

/** @param {Alert} alert */
function aboutOf({ task, words }) {
	return [task.project, task.agent, words].filter(Boolean).join(" · ");
}
