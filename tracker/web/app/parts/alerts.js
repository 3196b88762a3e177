// @ts-check
// Tells of failures and silence while the page is out of sight: by the title, and by a desktop
// notification if the user asked for that.
import { go, paths, pref, t } from "../lib/index.js";
import { isSilent, keyOf, serverNow, store } from "../data/index.js";

const LOOK_EVERY = 10_000;
// What happened longer ago, and arrives by catching up, is history.
const FRESH_MS = 120_000;

export class Alerts {
	unseen = 0;
	#onChange;
	#silent = new Set();

	constructor(onChange) {
		this.#onChange = onChange;
		store.subscribe((events) => events && this.#look(events));
		setInterval(() => this.#lookForSilence(), LOOK_EVERY);
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) return;
			this.unseen = 0;
			this.#onChange();
		});
	}

	#look(events) {
		for (const { data, timestamp } of events) {
			const fresh = serverNow() - Date.parse(timestamp) < FRESH_MS;
			if (data.status === "failed" && !data.late && fresh) this.#notify("alert.failed", data);
		}
	}

	#lookForSilence() {
		for (const [key, task] of store.tasks) {
			if (!isSilent(task)) this.#silent.delete(key);
			else if (!this.#silent.has(key)) {
				this.#silent.add(key);
				this.#notify("alert.silent", task);
			}
		}
	}

	#notify(kind, task) {
		if (!document.hidden) return;
		this.unseen++;
		this.#onChange();
		if (pref("notify") !== "on" || !("Notification" in window) || Notification.permission !== "granted") return;
		const body = [task.project, task.agent, task.error_message].filter(Boolean).join(" · ");
		const notification = new Notification(t(kind, { title: task.title }), { body, tag: keyOf(task) });
		notification.onclick = () => {
			window.focus();
			go(paths.task(task.project, task.task_id));
		};
	}
}
