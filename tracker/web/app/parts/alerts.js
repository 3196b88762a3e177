// @ts-check
// Tells of failures and silence while the page is out of sight: by the title, and by a desktop
// notification if the user asked for that.
import { go, paths, pref, t } from "../lib/index.js";
import { keyOf, serverNow, store } from "../data/index.js";

// What happened longer ago, and arrives by catching up, is history.
const FRESH_MS = 120_000;

export class Alerts {
	unseen = 0;
	#onChange;

	constructor(onChange) {
		this.#onChange = onChange;
		store.subscribe((events) => events && this.#look(events));
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) return;
			this.unseen = 0;
			this.#onChange();
		});
	}

	#look(events) {
		for (const { type, data, timestamp } of events) {
			if (serverNow() - Date.parse(timestamp) >= FRESH_MS) continue;
			if (type === "task_silent") this.#notify("alert.silent", data);
			else if (data.status === "failed" && !data.late) this.#notify("alert.failed", data);
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
