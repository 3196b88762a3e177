// @ts-check
// Calls to the REST API. The session's cookie goes along by itself.
import { encode } from "../lib/router.js";

export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

let onSignedOut = () => {};

/** What to do when the session is not, or no longer, good. */
export function whenSignedOut(listener) {
	onSignedOut = listener;
}

async function call(path, options = {}) {
	const response = await fetch(path, { credentials: "same-origin", ...options });
	if (response.ok) return response.status === 204 ? null : response.json();
	let message = response.statusText;
	try {
		message = (await response.json()).error.message;
	} catch {
		// Not an answer of ours (a proxy's, say): the status has to do.
	}
	if (response.status === 401 && !options.signingIn) onSignedOut();
	throw new ApiError(response.status, message);
}

function withQuery(path, query) {
	const given = Object.entries(query ?? {}).filter(([, v]) => v != null && v !== "");
	return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const api = {
	signIn: (key) =>
		call("/api/session", { method: "POST", headers: { "X-API-Key": key }, signingIn: true }),
	signOut: (query) => call(withQuery("/api/session", query), { method: "DELETE" }),
	info: () => call("/api/info"),
	now: () => call("/api/now"),
	search: (q, options) => call(withQuery("/api/search", { q, limit: 12 }), options),
	projects: (query) => call(withQuery("/api/projects", query)),
	tasks: (project, query) =>
		call(withQuery(`/api/projects/${encode(project)}/tasks`, query)),
	task: (project, task) => call(`/api/projects/${encode(project)}/tasks/${encode(task)}`),
	stats: () => call("/api/stats"),
	trends: () => call("/api/stats/trends"),
	projectStats: (project) => call(`/api/stats/projects/${encode(project)}`),
	events: (query) => call(withQuery("/api/events", query)),
};
