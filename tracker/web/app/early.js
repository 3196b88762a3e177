// @ts-check
// Reads what every view begins with, while the page itself is still being read: data/api.js takes it.

const day = new URLSearchParams({ tz: Intl.DateTimeFormat().resolvedOptions().timeZone });
const FIRST = ["/api/info", `/api/now?${day}`, "/api/sessions?active=true&limit=50"];

// Whoever brings a key has no session yet that could read.
if (!location.hash.includes("key=")) {
	const root = document.documentElement.dataset.root ?? "";
	const begun = FIRST.map((path) => /** @type {[string, Promise<Response>]} */ ([path, fetch(root + path)]));
	for (const [, reading] of begun) reading.catch(() => null); // whoever takes it is told
	/** @type {any} */ (globalThis).early = new Map(begun);
}
