// @ts-check
// A task as Markdown, ready to be given to an agent: what was tried, how it failed, what it said.
import { requestsOf } from "./task-attention.js";

const LAST_WORDS = 10;

/**
 * @param {import("../data/store.js").Task} task
 * @param {import("../data/store.js").LogEvent[]} events
 */
export function asPrompt(task, events) {
	const failed = task.status === "failed";
	const asks = requestsOf(task).map(({ text, since }) => `- Needs a person since ${since}: ${oneLine(text)}`);
	const parts = [
		failed
			? `The task below failed. Find the cause and fix it.`
			: `Here is what is known of the task below.`,
		`# ${oneLine(task.title)}`,
		[
			`- Project: ${oneLine(task.project)}`,
			`- Task: ${oneLine(task.task_id)}, attempt ${task.attempt}`,
			`- Agent: ${oneLine(task.agent)}`,
			`- Status: ${task.status} at ${task.progress} %`,
			`- Started: ${task.started_at}${task.finished_at ? `, ended: ${task.finished_at}` : ""}`,
			...asks,
		].join("\n"),
	];
	if (failed) {
		parts.push(`## Error\n\n${codeBlock([task.error_type, task.error_message].filter(Boolean).join(": "))}`);
		if (task.stack_trace) parts.push(`## Stack trace\n\n${codeBlock(task.stack_trace)}`);
	}
	if (task.result) parts.push(`## Result\n\n${codeBlock(task.result)}`);
	const messages = events.filter(({ data }) => data.message).slice(-LAST_WORDS);
	if (messages.length) {
		const lines = messages.map(({ data, timestamp }) => `${timestamp} ${data.progress} % ${oneLine(data.message)}`);
		parts.push(`## Last messages before it ended\n\n${codeBlock(lines.join("\n"))}`);
	}
	if (Object.keys(task.metadata ?? {}).length) {
		parts.push(`## Metadata\n\n${codeBlock(JSON.stringify(task.metadata, null, 2), "json")}`);
	}
	return `${parts.join("\n\n")}\n`;
}

function oneLine(text) {
	return text.replace(/\s+/g, " ");
}

/** A fence longer than any in the text, so that the text cannot end it. */
function codeBlock(text, language = "") {
	const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
	const fence = "`".repeat(longest + 1);
	return `${fence}${language}\n${text}\n${fence}`;
}
