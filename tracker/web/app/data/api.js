// @ts-check
// Calls to the REST API. The session's cookie goes along by itself.
import { encode, root } from "../lib/router.js";
import { access, setAccess } from "./access.js";

export class ApiError extends Error {
	/** `issues`: what is wrong with which field, {field, issue} each. */
	constructor(status, message, issues = []) {
		super(message);
		this.status = status;
		this.issues = issues;
	}
}

let onSignedOut = () => {};
// Counts sessions, and the times between them: what one has read is not for the next.
let session = 0;

export function forgetSession() {
	session++;
	setAccess(null);
}

/** What to do when the session is not, or no longer, good. */
export function whenSignedOut(listener) {
	onSignedOut = listener;
}

async function call(path, options = {}) {
	const mine = session;
	const response = await fetch(root + path, { credentials: "same-origin", ...options });
	/** @type {any} */
	let answer = null;
	try {
		if (response.status !== 204) answer = await response.json();
	} catch (error) {
		// An error that is not of ours (a proxy's, say): the status has to do.
		if (response.ok) throw error;
	}
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
		const info = await call("/api/info");
		setAccess(info.access);
		return info;
	},
	now: () => call("/api/now"),
	sessions: (query) => call(withQuery("/api/sessions", query)),
	search: (q, options) => call(withQuery("/api/search", { q, limit: 12 }), options),
	projects: (query) => call(withQuery("/api/projects", query)),
	tasks: (project, query) =>
		call(withQuery(`/api/projects/${encode(project)}/tasks`, query)),
	allTasks: (query) => call(withQuery("/api/tasks", query)),
	task: (project, task) => call(`/api/projects/${encode(project)}/tasks/${encode(task)}`),
	stats: () => call("/api/stats"),
	trends: () => call("/api/stats/trends"),
	projectStats: (project) => call(`/api/stats/projects/${encode(project)}`),
	event: (id) => call(`/api/events/${id}`),
	events: (query) => call(withQuery("/api/events", query)),
	keys: () => call("/api/keys"),
	makeKey: (key) => send("POST", "/api/keys", key),
	rotateKey: (name, overlap_seconds) =>
		send("POST", `/api/keys/${encode(name)}/rotate`, { overlap_seconds }),
	revokeKey: (name) => send("DELETE", `/api/keys/${encode(name)}`),
	audit: (query) => call(withQuery("/api/audit", query)),
};
