// @ts-check
// An agent's session as a line: <session-line>, whose `session` may be set again and again.
import { h, isolate, paths, t, text } from "../lib/index.js";
import { showStatus, timeShown } from "./marks.js";
import { costOf } from "./usage.js";

/** A session's state, as the status of a task is shown. */
const SHOWN = { waiting: "waiting", working: "running", your_turn: "yours", ended: "completed" };

class SessionLine extends HTMLElement {
	#status = h("span.line-status");
	#title = isolate("", "bdi");
	#link = h("a.line-link", { "data-row": "" }, this.#title);
	#project = h("bdi.line-project", { dir: "auto" });
	#agent = h("bdi.line-agent", { dir: "auto" });
	#notes = h("span.line-notes");
	#time = timeShown("");

	connectedCallback() {
		if (this.firstChild) return;
		this.setAttribute("role", "listitem");
		this.append(
			this.#status,
			h("div.line-main", this.#link, h("div.line-meta", this.#project, this.#agent, this.#notes)),
			h("div.line-side", h("span.line-time", this.#time)),
		);
	}

	set session({ project, session, agent, host, state, active, tasks, usage, last_report_at: at }) {
		this.dataset.status = SHOWN[state];
		showStatus(this.#status, SHOWN[state]);
		const main = active.find((task) => task.attention) ?? active.find((task) => !task.parent_task_id) ?? active[0];
		text(this.#title, main?.title ?? t("session.idle"));
		this.#link.href = `${paths.project(project)}?${new URLSearchParams({ session })}`;
		text(this.#project, project);
		text(this.#agent, [agent, host].filter(Boolean).join(" · "));
		const others = tasks.running - 1;
		text(this.#notes, [others > 0 && t("session.others", { count: others }), costOf(usage)].filter(Boolean).join(" · "));
		this.#time.setAttribute("at", at);
	}
}

customElements.define("session-line", SessionLine);
