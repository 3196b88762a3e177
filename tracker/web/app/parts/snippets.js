// @ts-check
// Code that connects an agent. The page knows the key only until it is reloaded (the session's
// cookie is not for scripts); then the code reads the key where the server keeps it.
import { h, icon, root, t } from "../lib/index.js";
import { access, api, isAdmin } from "../data/index.js";
import { snippet } from "./copy.js";
import { Tabs } from "./tabs.js";

const HIDDEN = "••••••••";
let key = null;

export function rememberKey(given) {
	key = given;
}

/** @returns {{shown: string, copied: string}} the same code with the key hidden, and with it */
function withKey(make, otherwise, quoted = JSON.stringify) {
	if (key === null) return { shown: make(otherwise), copied: make(otherwise) };
	return { shown: make(quoted(HIDDEN)), copied: make(quoted(key)) };
}

/** The command that reports a task; `k`: the key as the shell reads it between quotes. */
export function startCommand(k, project = "my-project") {
	const fields = { project, task: "My first task", task_id: "task-1", agent: "me" };
	const report = JSON.stringify(fields, null, 1).replace(/\n */g, " ");
	return `curl -X POST ${location.origin}${root}/webhook/start \\
	-H "X-API-Key: ${k}" \\
	-H "Content-Type: application/json" \\
	-d '${report.replaceAll("'", "'\\''")}'`;
}

export function curl({ api_key_file: file }) {
	const otherwise = file ? `$(cat '${file}')` : "$API_KEY";
	return withKey(startCommand, otherwise, (k) => k.replace(/["$`\\]/g, "\\$&"));
}

export function python({ api_key_file: file }) {
	return withKey(
		(k) => `import json, os, urllib.request

def report(kind, **fields):  # kind: start, status, finish or error
    urllib.request.urlopen(urllib.request.Request(
        "${location.origin}${root}/webhook/" + kind,
        json.dumps({**TASK, **fields}).encode(),
        {"X-API-Key": ${k}, "Content-Type": "application/json"},
    ))

TASK = dict(project="my-project", task="My first task", task_id="task-1", agent="me")
report("start")
report("status", progress=50, message="Half way")
report("finish", result="Done")`,
		file ? `open(${JSON.stringify(file)}).read().strip()` : 'os.environ["API_KEY"]',
	);
}

export function javascript() {
	return withKey(
		(k) => `const TASK = { project: "my-project", task: "My first task", task_id: "task-1", agent: "me" };

const report = (kind, fields) => // kind: start, status, finish or error
  fetch("${location.origin}${root}/webhook/" + kind, {
    method: "POST",
    headers: { "X-API-Key": ${k}, "Content-Type": "application/json" },
    body: JSON.stringify({ ...TASK, ...fields }),
  });

await report("start");
await report("status", { progress: 50, message: "Half way" });
await report("finish", { result: "Done" });`,
		"process.env.API_KEY",
	);
}

/** How an agent that has hooks is plugged in, by the client's program. */
const CONNECT = "tracker connect claude-code";

/** The first run: what makes the first task appear, for whoever may give it. The page goes on by itself. */
export async function emptyStart() {
	const info = await api.info();
	const waits = h("p.waits", { role: "status" }, icon("running"), " ", t("empty.waits"));
	if (!isAdmin()) {
		return h("section.empty", h("h2", t(access()?.projects ? "empty.inScope" : "empty.title")),
			h("p", t("empty.others")), waits);
	}
	const ways = { curl: curl(info), python: python(info), javascript: javascript(), connect: { shown: CONNECT, copied: CONNECT } };
	const names = { curl: "curl", python: "Python", javascript: "JavaScript", connect: "tracker connect" };
	const show = (name) => {
		const panel = tabs.panel(name);
		if (panel.firstChild) return;
		panel.append(h("p", t(name === "connect" ? "empty.connect" : "empty.text")), snippet(ways[name].shown, ways[name].copied));
	};
	const tabs = new Tabs(t("empty.ways"), names, show);
	tabs.select("curl");
	show("curl");
	return h("section.empty", h("h2", t("empty.title")), tabs.elements, waits, h("p.quiet", t("empty.more")));
}
