// @ts-check
// What can be done from any view.
import { language, LANGUAGES, pref, setPref } from "../lib/index.js";
import { api } from "../data/index.js";

export function signOut() {
	return api.signOut().catch(() => null).then(() => setPref("out", Date.now()));
}

export function nextTheme() {
	const dark = pref("theme", "system") === "system"
		? matchMedia("(prefers-color-scheme: dark)").matches
		: pref("theme") === "dark";
	setPref("theme", dark ? "light" : "dark");
}

export function otherLanguage() {
	return Object.keys(LANGUAGES).find((name) => name !== language()) ?? "en";
}
