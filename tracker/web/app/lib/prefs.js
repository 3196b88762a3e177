// What the user chose for this browser. Never the key: that stays in the session's cookie.

const NAMESPACE = "tracker.";
const listeners = new Set();

export function pref(name, fallback) {
	return localStorage.getItem(NAMESPACE + name) ?? fallback;
}

export function setPref(name, value) {
	localStorage.setItem(NAMESPACE + name, value);
	for (const listener of listeners) listener(name, value);
}

export function onPref(listener) {
	listeners.add(listener);
}

/** "system", "light" or "dark". Without the attribute the style sheet follows the system. */
export function applyTheme() {
	const theme = pref("theme", "system");
	if (theme === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
}
