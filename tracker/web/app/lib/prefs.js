// @ts-check
// What the user chose for this browser. Never the key: that stays in the session's cookie.

const NAMESPACE = "tracker.";
let notify;

export function pref(name, fallback) {
	return localStorage.getItem(NAMESPACE + name) ?? fallback;
}

export function setPref(name, value) {
	localStorage.setItem(NAMESPACE + name, value);
	notify(name);
}

/** The one listener hears other tabs too. */
export function onPref(listener) {
	notify = listener;
	addEventListener("storage", ({ key }) => notify(key?.slice(NAMESPACE.length)));
}

/** "system", "light" or "dark". Without the attribute the style sheet follows the system. */
export function applyTheme() {
	const theme = pref("theme", "system");
	if (theme === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
}
