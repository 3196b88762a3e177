// @ts-check
// The page opens without its server too: app/worker.js, which browsers run where they trust the address.
import { pref } from "./prefs.js";
import { root } from "./router.js";

const LAST_LIVE = "tracker.lastLive";

/** Once nothing else is to be loaded. */
export function keepForOffline() {
	if (!("serviceWorker" in navigator)) return;
	const register = () => {
		const url = `${root}/worker.js`;
		// The only address that any script may be taken from but those of the page itself.
		const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("worker", { createScriptURL: () => url });
		// A browser that takes none, as in a private window, shows the page all the same.
		navigator.serviceWorker.register(policy?.createScriptURL("") ?? url, { scope: `${root}/` }).catch(() => null);
	};
	if (document.readyState === "complete") setTimeout(register);
	else addEventListener("load", () => setTimeout(register));
}

/** @param {number} now When the page was in touch with the server. */
export function rememberLive(now) {
	localStorage.setItem(LAST_LIVE, String(now));
}

/** When a page was last in touch with it, for one that has not been so far; null: never. */
export function lastLive() {
	return Number(pref("lastLive", "0")) || null;
}
