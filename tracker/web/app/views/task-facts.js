// @ts-check
// What is known of a task in a few words each: whose it is, where it runs, when, what it has cost.
import { duration, h, isolate, number, paths, t } from "../lib/index.js";
import { safeLink } from "../lib/markdown.js";
import { ENDED } from "../data/index.js";
import { timeShown, usageOf } from "../parts/index.js";

/** @typedef {import("../data/store.js").Task} Task */
/** @typedef {[name: string, input: any, show: (input: any) => any]} Fact Shown anew when `input` is another. */

// Names in `metadata` that hooks, `tracker run` and CI jobs give; the first that is there counts.
const KNOWN = {
	branch: ["branch", "git_branch", "ref"],
	pull: ["pull_request_url", "pr_url", "pull_request", "pr", "merge_request"],
	commit: ["commit", "sha", "git_commit"],
	run: ["run_url", "build_url", "job_url", "url"],
	model: ["model"],
	host: ["host", "hostname", "runner"],
	folder: ["cwd"],
	remote: ["remote"],
	command: ["command"],
	exit: ["exit_code"],
};

/**
 * @param {Task} task
 * @param {{passed: number, count: number} | null} alike How tasks of the same title went.
 * @returns {Fact[]} Of which those with an input of null are not known.
 */
export function factsOf(task, alike) {
	const { project, session } = task;
	const ended = ENDED.has(task.status);
	const told = known(task.metadata);
	return [
		["agent", task.agent, isolate],
		["session", session, (name) =>
			h("a", { href: `${paths.project(project)}?${new URLSearchParams({ session: name })}` }, code(name))],
		["parent", task.parent_task_id, (id) => h("a", { href: paths.task(project, id) }, code(id))],
		...Object.keys(KNOWN).map((name) => /** @type {Fact} */ ([name, told[name], (value) => linked(name, value)])),
		["used", task.usage, usageOf],
		["usedInAll", ofOthersToo(task), usageOf],
		["alike", alike, ({ passed, count }) => t("fact.passed", { passed, count })],
		["attempts", task.attempt > 1 ? task.attempt : null, number],
		["started", task.started_at, (at) => timeShown(at, "clock")],
		["ended", ended ? task.finished_at : null, (at) => timeShown(at, "clock")],
		["lastWord", ended ? null : task.updated_at, timeShown],
		["duration", [ended, task.duration_seconds, task.started_at],
			() => (ended ? duration(task.duration_seconds ?? 0) : timeShown(task.started_at, "elapsed"))],
		["id", task.task_id, code],
	];
}

/** @param {Task["metadata"]} [metadata] */
function known(metadata) {
	return Object.fromEntries(Object.entries(KNOWN).map(([name, keys]) => {
		const key = keys.find((key) => isShort(metadata?.[key]));
		return [name, key === undefined ? null : String(metadata?.[key])];
	}));
}

function isShort(value) {
	return typeof value === "number" || (typeof value === "string" && value.trim() !== "");
}

/** An address is shown by its host and its end, and in full to whoever points at it. */
function linked(name, value) {
	const href = /^https?:/i.test(value) ? safeLink(value) : null;
	if (!href) return name === "pull" ? isolate(/^\d+$/.test(value) ? `#${value}` : value) : code(value);
	const { host, pathname } = new URL(href);
	const end = pathname.split("/").filter(Boolean).at(-1);
	return h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer" }, isolate([host, end].filter(Boolean).join(" … ")));
}

/**
 * With that of what it has started, if that has used any.
 * @param {Task} task
 */
function ofOthersToo({ usage, usage_total: all }) {
	const own = usage && usageOf(usage);
	return all && usageOf(all) !== own ? all : null;
}

function code(words) {
	return h("code", isolate(words));
}
