// @ts-check
// What failed, alike together: how often, when, at whose hands, and the tasks.
import { fill, h, isolate, keyed, number, paths, t, text } from "../lib/index.js";
import { CutList, timeShown } from "../parts/index.js";

// Of a message, to look for those that are like it: each has to be found.
const WORDS = 8;

export class FailureGroups {
	#lines = h("div.failure-groups", { role: "list" });
	#none = h("p.empty-note", t("insights.noFailures"));
	#list = new CutList(this.#lines, (group) => JSON.stringify([group.project, group.error_type, group.message]),
		(group) => new FailureGroup(group), (element, group) => element.show(group, this.#since));
	#since = "";
	section = h("section.section.is-wide", h("h2", t("insights.failures")), this.#lines, this.#none, this.#list.below);

	/** `since`: the beginning of the time that the answer is of. */
	update({ total, complete, kinds, groups }, since) {
		this.#since = since;
		this.#none.hidden = groups.length > 0;
		this.#list.update(groups, [
			kinds > groups.length && t("insights.onlyGroups", { shown: groups.length, count: kinds }),
			!complete && t("insights.lastFailures", { count: total }),
		].filter(Boolean).join(" "));
	}
}

class FailureGroup extends HTMLElement {
	#count = h("strong.failure-count");
	#times = h("p.quiet");
	#agents = h("ul.failure-agents.quiet");
	#showAgents = keyed(this.#agents, ({ agent }) => h("li", h("a", isolate(agent)), " ", h("span")), ({ children: [link, times] }, { count, href }) => {
		link.href = href;
		text(times, number(count));
	});
	#example = h("p.failure-example");
	#tasks = h("ul.failure-tasks");
	#showTasks = keyed(this.#tasks, ({ task_id: task, href }) => h("li", h("a", { href }, isolate(task)), h("span.quiet")),
		({ children: [, beside] }, { agent, finished_at: at }) => fill(beside, isolate(agent), " · ", timeShown(at)));
	#alike = h("a");

	constructor({ project, error_type: type, message }) {
		super();
		this.setAttribute("role", "listitem");
		this.append(this.#count,
			h("div.failure-body",
				h("p.failure-words", type && h("strong", isolate(type)), type && message && ": ", isolate(message),
					!type && !message && t("insights.noMessage")),
				h("p.quiet", h("a", { href: paths.project(project) }, isolate(project))),
				h("details.failure-more", h("summary", t("insights.taskList")), this.#example, this.#tasks, h("p", this.#alike))),
			h("div.failure-side", this.#times, this.#agents));
	}

	show({ project, error_type: type, message, example, count, first_seen: first, last_seen: last, tasks, agents }, since) {
		const filters = { status: "failed", project, since };
		text(this.#count, `${number(count)} ×`);
		fill(this.#times, t("insights.last"), " ", timeShown(last), count > 1 && [" · ", t("insights.first"), " ", timeShown(first)]);
		this.#showAgents(agents.map((one) => ({ ...one, href: paths.tasks({ ...filters, agent: one.agent }) })), ({ agent }) => agent);
		this.#example.hidden = !example || example === message;
		fill(this.#example, t("insights.example"), " ", isolate(example));
		this.#showTasks(tasks.map((task) => ({ ...task, href: paths.task(project, task.task_id) })), ({ task_id: task }) => task);
		const words = wordsOf(message) || wordsOf(type ?? "");
		text(this.#alike, t("insights.alike"));
		this.#alike.href = paths.tasks({ ...filters, ...(words && { q: words }) });
	}
}

/** Words of a message that all those like it hold. What follows a placeholder or a number at once begins no word. */
function wordsOf(message) {
	const words = message.replace(/<\w+>[\p{L}\p{M}_]*/gu, " ").match(/(?<![\p{L}\p{M}\p{N}_])[\p{L}\p{M}_]{2,}/gu) ?? [];
	return [...new Set(words)].slice(0, WORDS).join(" ");
}

customElements.define("failure-group", FailureGroup);
