// @ts-check
// One line of tokens and words, `status:failed agent:claude cost:>1 "build failed"`, and the filters of
// the API that it stands for. Pure: tests/web/test_dashboard_modules.py.

/** @typedef {Record<string, string>} Filters By the API's names. */

const STATUSES = ["pending", "running", "completed", "failed"];
const DATE = /^\d{4}-\d\d-\d\d(T.*)?$/;
const TIME = /^\d+(\.\d+)?[smhdw]$/;
const PLAIN = ["status", "agent", "project", "model", "title", "session", "parent", "since"];
/** @type {Record<string, string>} */
const DATES = { started: "date_from", until: "date_to" };
/** @type {Record<string, [string, string]>} */
const IS = { waiting: ["attention", "1"], silent: ["silent", "1"], overdue: ["overdue", "1"], again: ["attempt_min", "2"] };
const TOKEN = /(?:([a-z]+):)?("(?:[^"\\]|\\.)*"?|\S+)/gi;

/** The names of all filters that a line can hold. */
export const FILTERS = [...PLAIN, ...Object.values(DATES), ...Object.values(IS).map(([name]) => name), "cost_min", "q"];

/**
 * What a line says; `wrong`: the tokens that say nothing.
 * @param {string} line
 */
export function parseTokens(line) {
	/** @type {Filters} */
	const filters = {};
	/** @type {string[]} */
	const wrong = [];
	/** @type {string[]} */
	const words = [];
	for (const [token, given, quoted] of line.matchAll(TOKEN)) {
		const name = given?.toLowerCase();
		const value = unquote(quoted);
		if (!name && /^[a-z]+:$/i.test(quoted)) continue; // more is to be typed
		if (!name || value.startsWith("//")) words.push(name ? token : value);
		else if (!read(name, value, filters)) wrong.push(token);
	}
	if (words.length) filters.q = words.join(" ");
	return { filters, wrong };
}

/**
 * @param {string} name
 * @param {string} value
 * @param {Filters} filters
 */
function read(name, value, filters) {
	if (name === "is" && Object.hasOwn(IS, value)) {
		const [filter, of] = IS[value];
		filters[filter] = of;
	} else if (name === "cost" && /^>?\d+(\.\d+)?$/.test(value)) filters.cost_min = value.replace(">", "");
	else if (name === "status" && value.split(",").every((one) => STATUSES.includes(one))) filters.status = value;
	else if (name === "since" && (TIME.test(value) || DATE.test(value))) filters.since = value;
	else if (Object.hasOwn(DATES, name) && DATE.test(value)) filters[DATES[name]] = value;
	else if (PLAIN.includes(name) && value && name !== "status" && name !== "since") filters[name] = value;
	else return false;
	return true;
}

/**
 * The line that says this.
 * @param {Filters} filters
 */
export function formatTokens(filters) {
	const tokens = PLAIN.filter((name) => filters[name]).map((name) => `${name}:${quote(filters[name])}`);
	for (const [name, filter] of Object.entries(DATES)) if (filters[filter]) tokens.push(`${name}:${quote(filters[filter])}`);
	for (const [word, [name, value]] of Object.entries(IS)) if (filters[name] === value) tokens.push(`is:${word}`);
	if (filters.cost_min) tokens.push(`cost:>${filters.cost_min}`);
	if (filters.q) tokens.push(filters.q.split(" ").map(plainWord).join(" "));
	return tokens.join(" ");
}

/**
 * Lines that this one may become: its last token, completed.
 * @param {string} line
 * @param {{agents: string[], projects: string[]}} known
 */
export function completions(line, { agents, projects }) {
	const [, before, last] = /** @type {RegExpExecArray} */ (/^(.*\s)?(\S*)$/s.exec(line));
	const values = {
		status: STATUSES, is: Object.keys(IS), since: ["1h", "24h", "7d", "30d"], cost: [">1"], agent: agents, project: projects,
	};
	const all = Object.entries(values).flatMap(([name, some]) =>
		last.includes(":") ? some.map((value) => `${name}:${quote(value)}`) : [`${name}:`]);
	return all.filter((token) => last && token !== last && token.toLowerCase().startsWith(last.toLowerCase()))
		.slice(0, 20).map((token) => (before ?? "") + token);
}

/** @param {string} value */
function quote(value) {
	return /[\s"\\]/.test(value) || !value ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
}

/** A word that is not to be taken for a token. */
function plainWord(word) {
	return /^[a-z]+:(?!\/\/)/i.test(word) || /["\\]/.test(word) ? quote(word).replace(/^(?!")(.*)$/s, '"$1"') : word;
}

/** @param {string} value */
function unquote(value) {
	return value.startsWith('"') ? value.slice(1).replace(/"$/, "").replace(/\\(.)/g, "$1") : value;
}
