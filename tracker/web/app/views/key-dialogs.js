// @ts-check
// What is done with keys: made, rotated, revoked. A new secret is shown in a dialog of its own, is
// nowhere else, and is forgotten with it.
import { h, isolate, root, t } from "../lib/index.js";
import { access, api } from "../data/index.js";
import {
	askInDialog, copyButton, formField, openDialog, select, snippet, startCommand, timeShown,
} from "../parts/index.js";

const ROLES = ["report", "read", "answer", "admin"];
const HOUR = 3600;
const DAY = 24 * HOUR;
const LIFETIMES_IN_DAYS = [1, 7, 30, 90];
const OVERLAPS_IN_DAYS = [1, 7];
// More are not suggested.
const SUGGESTED = 200;

function days(count) {
	return [count * DAY, t("keys.days", { count })];
}

export function roleWords(role) {
	return `${role}: ${t(`role.${role}`)}`;
}

/** `onDone(words)` after each of these says what was done, once the dialogs are closed. */
export function makeKey(onDone) {
	const name = h("input", { type: "text", required: true, maxlength: 64, autocomplete: "off", spellcheck: "false" });
	const role = select(ROLES.map((value) => [value, roleWords(value)]), "report");
	const names = h("names-field");
	const projects = formField("projects", t("keys.projects"), names.input, t("keys.projectsHint"), names);
	const expiry = select([["", t("keys.never")], ...LIFETIMES_IN_DAYS.map(days), [365 * DAY, t("keys.year")]], "");
	role.addEventListener("change", () => (projects.hidden = role.value === "admin"));
	api.projects({ limit: SUGGESTED }).then((found) => (names.known = found.projects.map((p) => p.name)), () => {});
	askInDialog({
		title: t("keys.make"),
		content: [
			formField("name", t("keys.name"), name, t("keys.nameHint")),
			formField("role", t("keys.role"), role),
			projects,
			formField("expires_in_seconds", t("keys.expires"), expiry),
		],
		button: t("keys.makeButton"),
		send: () => api.makeKey({
			name: name.value.trim(), role: role.value,
			projects: projects.hidden || !names.names.length ? null : names.names,
			expires_in_seconds: expiry.value ? Number(expiry.value) : null,
		}),
		onDone: (key) => showSecret(t("keys.made", { name: key.name }), key, onDone),
	});
}

export function rotateKey({ name }, onDone) {
	const overlap = select([[0, t("keys.atOnce")], [HOUR, t("keys.hour")], ...OVERLAPS_IN_DAYS.map(days)], DAY);
	askInDialog({
		title: t("keys.rotateTitle", { name }),
		content: [
			h("p", t("keys.rotateText")),
			own(name) && h("p.note", t("keys.rotateOwn")),
			formField("overlap_seconds", t("keys.overlap"), overlap),
		],
		button: t("keys.rotate"),
		send: () => api.rotateKey(name, Number(overlap.value)),
		onDone: (key) => showSecret(t("keys.rotated", { name }), key, onDone),
	});
}

export function revokeKey({ name, last_used_at: at, last_used_from: from }, onDone) {
	askInDialog({
		title: t("keys.revokeTitle", { name }),
		content: [
			h("p", t("keys.revokeText")),
			h("p", t("keys.lastUsed"), ": ", at ? [timeShown(at), " ", t("keys.from", { address: from })] : t("keys.neverUsed")),
			own(name) && h("p.note", t("keys.revokeOwn")),
		],
		button: t("keys.revoke"),
		danger: true,
		send: () => api.revokeKey(name),
		onDone: () => onDone(t("keys.revoked", { name })),
	});
}

/** Whether this page would sign itself out. */
function own(name) {
	return name === access()?.name;
}

/** The one time that it can be seen. A click beside it does not close it. */
function showSecret(title, { key, role, projects }, onDone) {
	const command = role === "report"
		? startCommand(key, projects?.[0])
		: `curl -H "X-API-Key: ${key}" ${location.origin}${root}/api/projects`;
	const heading = h("h2", { id: "secret-title", tabindex: "-1" }, title);
	const dialog = h("dialog.dialog.ask.secret", { "aria-labelledby": "secret-title" },
		heading,
		h("p", t("keys.once")),
		h("div.secret-key", h("code", key), copyButton(t("keys.copy"), () => key, ".button-strong")),
		h("h3", t("keys.asVariable")), snippet(`API_KEY=${key}`),
		h("h3", t("keys.try")), snippet(command),
		h("div.dialog-buttons",
			h("button.button", { type: "button", onclick: () => dialog.close() }, t("keys.copied"))));
	dialog.addEventListener("close", () => {
		dialog.replaceChildren();
		/** @type {any} */ (document.querySelector("#key"))?.focus(); // if it ended this very session
		onDone(title);
	});
	openDialog(dialog, { light: false });
	heading.focus();
}
