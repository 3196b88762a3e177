// @ts-check
// What the user chose for this browser. Never the key: that stays in the session's cookie.

const NAMESPACE = "tracker.";
let notify;

/** What was read stays known: each text that is shown asks for the language. @type {Map<string, string | null>} */
const known = new Map();

export function pref(name, fallback) {
	if (!known.has(name)) known.set(name, localStorage.getItem(NAMESPACE + name));
	return known.get(name) ?? fallback;
}

export function setPref(name, value) {
	localStorage.setItem(NAMESPACE + name, value);
	known.delete(name);
	notify(name);
}

/** The one listener hears other tabs too. */
export function onPref(listener) {
	notify = listener;
	addEventListener("storage", ({ key }) => {
		known.clear();
		notify(key?.slice(NAMESPACE.length));
	});
}

/** "system", "light" or "dark". Without the attribute the style sheet follows the system. */
export function applyTheme() {
	const theme = pref("theme", "system");
	if (theme === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
}
