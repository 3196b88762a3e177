// @ts-check
// Addresses ↔ views, by the history API. The same addresses stand in tracker/api/dashboard.py.

/** @type {[string, RegExp][]} */
const ROUTES = [
	["now", /^\/$/],
	["tasks", /^\/tasks$/],
	["projects", /^\/projects$/],
	["task", /^\/projects\/([^/]+)\/tasks\/([^/]+)$/],
	["project", /^\/projects\/([^/]+)(?:\/(board|timeline))?$/],
	["insights", /^\/stats$/],
	["events", /^\/events$/],
	["timeline", /^\/timeline$/],
	["settings", /^\/settings$/],
];

/** What all addresses of this server begin with: "", or a prefix as /tracker. */
export const root = document.documentElement.dataset.root ?? "";

export const paths = {
	now: () => `${root}/`,
	/** `filters`: query parameters, named as those of `/api/tasks`. */
	tasks: (filters) => `${root}/tasks${filters ? `?${new URLSearchParams(filters)}` : ""}`,
	projects: () => `${root}/projects`,
	project: (project, tab) => `${root}/projects/${encode(project)}${tab ? `/${tab}` : ""}`,
	task: (project, task) => `${root}/projects/${encode(project)}/tasks/${encode(task)}`,
	insights: () => `${root}/stats`,
	events: () => `${root}/events`,
	timeline: () => `${root}/timeline`,
	settings: () => `${root}/settings`,
};

/** A name as one segment of a path. */
export const encode = encodeURIComponent;

function decode(segment) {
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment;
	}
}

export function current() {
	return viewAt(location);
}

/** @param {{pathname: string, search: string}} address Of this server, as a URL's. */
export function viewAt({ pathname: whole, search }) {
	const path = whole === root || whole.startsWith(`${root}/`) ? whole.slice(root.length) : whole;
	const pathname = path.replace(/(.)\/$/, "$1") || "/";
	const query = new URLSearchParams(search);
	for (const [name, pattern] of ROUTES) {
		const match = pattern.exec(pathname);
		if (match) return { name, args: match.slice(1).map((a) => a && decode(a)), query };
	}
	return { name: "missing", args: [], query };
}

let onChange = () => {};
let onLeave = () => {};

/** `leave` is called before the page goes from one address to another by itself. */
export function start(listener, leave) {
	onChange = listener;
	onLeave = leave;
	addEventListener("popstate", () => onChange());
	document.addEventListener("click", (event) => {
		const link = /** @type {any} */ (event.target).closest?.("a[href^='/']");
		if (!link || link.target || event.defaultPrevented || !isPlain(event)) return;
		if (link.dataset.outside !== undefined) return;
		event.preventDefault();
		go(link.getAttribute("href"));
	});
}

/** @param {MouseEvent} event A click that wants no other tab, window or download. */
export function isPlain({ metaKey, ctrlKey, shiftKey, altKey, button }) {
	return !metaKey && !ctrlKey && !shiftKey && !altKey && button === 0;
}

export function go(path) {
	if (path === location.pathname + location.search) return;
	onLeave();
	history.pushState(null, "", path);
	onChange();
}

/** What the page was like at this place in the history, for when one comes back. */
export function remember(values) {
	history.replaceState({ ...history.state, ...values }, "");
}

export function remembered(name) {
	return history.state?.[name];
}

/** Filters stand in the address; changing one is no new page. */
export function setQuery(values) {
	const query = new URLSearchParams(location.search);
	for (const [name, value] of Object.entries(values)) {
		if (value) query.set(name, value);
		else query.delete(name);
	}
	const text = query.toString();
	history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
}
