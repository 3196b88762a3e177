// @ts-check
// Reads what every view begins with, while the page itself is still being read: data/api.js takes it.
import { offsetToday } from "./lib/days.js";

const FIRST = ["/api/info", `/api/now?tz=${offsetToday()}`, "/api/sessions?active=true&limit=50"];

// Whoever brings a key has no session yet that could read; nor is this of use once data/api.js is there.
if (!location.hash.includes("key=") && !("early" in globalThis)) {
	const root = document.documentElement.dataset.root ?? "";
	const begun = FIRST.map((path) => /** @type {[string, Promise<Response>]} */ ([path, fetch(root + path)]));
	for (const [, reading] of begun) reading.catch(() => null); // whoever takes it is told
	/** @type {any} */ (globalThis).early = new Map(begun);
}
