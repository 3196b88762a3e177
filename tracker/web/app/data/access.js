// @ts-check
// Who this page is signed in as. Nobody until the server has said so: what only some may do is shown
// once it is known that this one may.

/**
 * @typedef {object} Access As `/api/info` gives it; `projects` null: all of them.
 * @property {string} name
 * @property {string} role
 * @property {string[] | null} projects
 * @property {string | null} expires_at
 */

/** @type {Access | null} */
let known = null;
let onChange = (_isAnother) => {};

/** `listener(isAnother)` when anything of it changes; true: somebody else takes the place of one. */
export function whenAccessChanges(listener) {
	onChange = listener;
}

export function access() {
	return known;
}

/** @param {Access | null} given */
export function setAccess(given) {
	const before = known;
	known = given;
	if (JSON.stringify(before) === JSON.stringify(given)) return;
	onChange(before !== null && given !== null && sees(before) !== sees(given));
}

function sees({ name, role, projects }) {
	return JSON.stringify([name, role, projects]);
}

/** Who may say that a task has been seen to. */
export function mayAnswer() {
	return isAdmin() || known?.role === "answer";
}

export function isAdmin() {
	return known?.role === "admin";
}
