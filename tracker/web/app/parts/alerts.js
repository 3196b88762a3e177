// @ts-check
// Tells of failures, silence and requests while the page is out of sight: by the title, and by a
// desktop notification if the user asked for that. Of requests it also tells screen readers.
import { go, h, paths, pref, t, text } from "../lib/index.js";
import { NO_REPORTS, keyOf, openedBy, serverNow, store } from "../data/index.js";

// What happened longer ago, and arrives by catching up, is history.
const FRESH_MS = 120_000;

export class Alerts {
	unseen = 0;
	said = h("p.sr-only", { role: "status" });
	#onChange;
	#told = new Set();

	constructor(onChange) {
		this.#onChange = onChange;
		store.subscribe((events) => (events ? this.#look(events) : text(this.said, "")));
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) return;
			this.unseen = 0;
			this.#onChange();
		});
	}

	#look(events) {
		for (const event of events) {
			const { type, data, timestamp } = event;
			if (serverNow() - Date.parse(timestamp) >= FRESH_MS) continue;
			const opened = openedBy(event);
			if (opened) this.#ask(opened, data);
			if (type === "task_silent") this.#notify("alert.silent", data);
			else if (data.status === "failed" && !data.late && !NO_REPORTS.has(type)) this.#notify("alert.failed", data, data.error_message);
		}
	}

	/** Once for each request: reports of one moment all hold it. */
	#ask({ id, text: words, since }, task) {
		const key = `${keyOf(task)}\0${id}`;
		if (this.#told.has(key + since)) return;
		this.#told.add(key + since);
		text(this.said, `${t("alert.attention", { title: task.title })}. ${words}`);
		this.#notify("alert.attention", task, words, key);
	}

	#notify(kind, task, words, tag = keyOf(task)) {
		if (!document.hidden) return;
		this.unseen++;
		this.#onChange();
		if (pref("notify") !== "on" || !("Notification" in window) || Notification.permission !== "granted") return;
		const body = [task.project, task.agent, words].filter(Boolean).join(" · ");
		const notification = new Notification(t(kind, { title: task.title }), { body, tag });
		notification.onclick = () => {
			window.focus();
			go(paths.task(task.project, task.task_id));
		};
	}
}
