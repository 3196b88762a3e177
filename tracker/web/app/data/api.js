// @ts-check
// Calls to the REST API. The session's cookie goes along by itself.
import { offsetToday } from "../lib/days.js";
import { encode, root } from "../lib/router.js";
import { access, setAccess } from "./access.js";
import { countRead } from "./renewal.js";

// Seconds. Who asks for more is asked again all the same: a limit is by the minute.
const LONGEST_PAUSE = 60;

export class ApiError extends Error {
	/** `issues`: what is wrong with which field, {field, issue} each. */
	constructor(status, message, issues = []) {
		super(message);
		this.status = status;
		this.issues = issues;
	}
}

/** Whether what failed may well work later, with nothing changed: a limit, a restart, no network. */
export function mayPass({ status }) {
	return !status || status === 429 || status >= 500;
}

let onSignedOut = () => {};
// Counts sessions, and the times between them: what one has read is not for the next.
let session = 0;

export function forgetSession() {
	session++;
	begun.clear();
	setAccess(null);
}

/** What to do when the session is not, or no longer, good. */
export function whenSignedOut(listener) {
	onSignedOut = listener;
}

// The server has asked for a pause: reads wait until then, whoever wants them.
let pausedUntil = 0;

/** Not all pages of all people come back at one moment. */
function pause(response) {
	const seconds = Number(response.headers.get("Retry-After"));
	if ((response.status !== 429 && response.status !== 503) || !(seconds > 0)) return;
	const wait = Math.min(seconds, LONGEST_PAUSE) * 1000 * (1 + Math.random() / 4);
	pausedUntil = Math.max(pausedUntil, Date.now() + wait);
}

/** Until the server takes requests again. */
export async function paused() {
	while (Date.now() < pausedUntil) {
		await new Promise((resolve) => setTimeout(resolve, pausedUntil - Date.now()));
	}
}

/** @type {Map<string, Promise<any>>} Reads begun in this very turn: one answers all who want the same. */
const begun = new Map();

function read(path, query, options) {
	const address = withQuery(path, query);
	if (options) return call(address, options);
	let reading = begun.get(address);
	if (!reading) {
		begun.set(address, (reading = call(address)));
		setTimeout(() => begun.delete(address));
	}
	return reading;
}

// What early.js has begun to read before this module was there. From now on it reads nothing: a key may be
// gone from the address, and not yet be a session.
/** @type {Map<string, Promise<Response>>} */
const begunEarly = (/** @type {any} */ (globalThis).early ??= new Map());

function early(path) {
	const reading = begunEarly.get(path);
	begunEarly.delete(path);
	return reading;
}

async function call(path, options = {}) {
	const mine = session;
	if (!options.method) {
		if (Date.now() < pausedUntil) await paused();
		countRead();
	}
	const isPlain = !Object.keys(options).length;
	const response = await ((isPlain && early(path)) || fetch(root + path, { credentials: "same-origin", ...options }));
	/** @type {any} */
	let answer = null;
	try {
		if (response.status !== 204) answer = await response.json();
	} catch (error) {
		// An error that is not of ours (a proxy's, say): the status has to do.
		if (response.ok) throw error;
	}
	pause(response);
	const late = mine !== session;
	if (late && !options.method) throw new ApiError(401, response.statusText);
	if (response.ok) return answer;
	if (response.status === 401 && !late && !options.signingIn) onSignedOut();
	const { message = response.statusText, details } = answer?.error ?? {};
	throw new ApiError(response.status, message, details?.errors);
}

/** A change, with `body` as JSON. */
function send(method, path, body) {
	const json = { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
	return call(path, { method, ...(body && json) });
}

function withQuery(path, query) {
	const given = Object.entries(query ?? {}).filter(([, v]) => v != null && v !== "");
	return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

function taskPath(project, task) {
	return `/api/projects/${encode(project)}/tasks/${encode(task)}`;
}

export const api = {
	async signIn(key) {
		await call("/api/session", { method: "POST", headers: { "X-API-Key": key }, signingIn: true });
		forgetSession();
	},
	/** Whoever leaves by himself need not be told that his access has ended. */
	async signOut(query) {
		const before = access();
		setAccess(null);
		try {
			await send("DELETE", withQuery("/api/session", query));
		} catch (error) {
			setAccess(before);
			throw error;
		}
	},
	async info() {
		const info = await read("/api/info");
		setAccess(info.access);
		return info;
	},
	now: () => read("/api/now", { tz: offsetToday() }),
	sessions: (query) => read("/api/sessions", query),
	search: (q, options) => read("/api/search", { q, limit: 12 }, options),
	projects: (query) => read("/api/projects", query),
	tasks: (project, query) =>
		read(`/api/projects/${encode(project)}/tasks`, query),
	allTasks: (query) => read("/api/tasks", query),
	task: (project, task) => read(taskPath(project, task)),
	acknowledge: (project, task) => send("POST", `${taskPath(project, task)}/acknowledge`),
	snooze: (project, task, minutes) => send("POST", `${taskPath(project, task)}/snooze`, { minutes }),
	fail: (project, task, reason) => send("POST", `${taskPath(project, task)}/fail`, { reason }),
	deleteTask: (project, task) => send("DELETE", taskPath(project, task)),
	timeline: (query) => read("/api/timeline", query),
	stats: () => read("/api/stats"),
	insights: (query) => read("/api/stats/insights", query),
	failures: (query) => read("/api/failures", query),
	projectStats: (project) => read(`/api/stats/projects/${encode(project)}`),
	event: (id) => read(`/api/events/${id}`),
	events: (query) => read("/api/events", query),
	keys: () => read("/api/keys"),
	makeKey: (key) => send("POST", "/api/keys", key),
	rotateKey: (name, overlap_seconds) =>
		send("POST", `/api/keys/${encode(name)}/rotate`, { overlap_seconds }),
	revokeKey: (name) => send("DELETE", `/api/keys/${encode(name)}`),
	audit: (query) => read("/api/audit", query),
};
