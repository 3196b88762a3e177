// @ts-check
// The page: signs in, follows the log, shows the view of the address. All is put together here.
import { h } from "./lib/dom.js";
import { t, language } from "./lib/i18n.js";
import * as keys from "./lib/keys.js";
import { applyTheme, onPref } from "./lib/prefs.js";
import * as router from "./lib/router.js";
import { whenSignedOut } from "./data/api.js";
import { Live } from "./data/live.js";
import { store } from "./data/store.js";
import { Alerts } from "./parts/alerts.js";
import { openHelp } from "./parts/help.js";
import { openSearch } from "./parts/search.js";
import { Shell } from "./parts/shell.js";
import { signIn, signInForm } from "./views/sign-in.js";
import "./views/events.js";
import "./views/now.js";
import "./views/project.js";
import "./views/projects.js";
import "./views/settings.js";
import "./views/stats.js";
import "./views/task.js";

const live = new Live(store, () => shell.showState(live));
const alerts = new Alerts(() => title());
let shell = new Shell(live);

function makeView(name, args, query) {
	const View = customElements.get(`${name}-view`);
	return View ? new View(args, query) : h("p.empty-note", t("missing"));
}

function show({ focus = true } = {}) {
	const { name, args, query } = router.current();
	shell.show(name, makeView(name, args, query));
	title();
	if (focus) shell.main.querySelector("h1")?.focus({ preventScroll: true });
}

function title() {
	const { name, args } = router.current();
	const place = args.findLast(Boolean) ?? t(`nav.${name}`);
	document.title = `${alerts.unseen ? `(${alerts.unseen}) ` : ""}${place} · Agent Task Tracker`;
}

function begin() {
	live.start();
	document.body.replaceChildren(shell.element);
	show({ focus: false });
}

function signedOut() {
	if (document.querySelector("#key")) return; // keep what is typed
	live.stop();
	store.reset();
	document.title = `${t("signIn.title")} · Agent Task Tracker`;
	document.body.replaceChildren(h("main.sign-in-page", signInForm(begin)));
	/** @type {HTMLElement} */ (document.querySelector("#key")).focus();
}

function redraw() {
	applyTheme();
	document.documentElement.lang = language();
	if (!shell.element.isConnected) return;
	shell = new Shell(live);
	document.body.replaceChildren(shell.element);
	shell.showState(live);
	show({ focus: false });
}

/** The address printed at start-up carries the key in its fragment, which browsers never send. */
async function takeKeyFromAddress() {
	const key = new URLSearchParams(location.hash.slice(1)).get("key");
	if (!key) return;
	history.replaceState(null, "", location.pathname + location.search);
	try {
		await signIn(key);
	} catch {
		// A wrong key: what follows finds no session and asks for the right one.
	}
}

applyTheme();
document.documentElement.lang = language();
onPref((name) => {
	if (name === "language") redraw();
	else if (name === "out") signedOut();
	else applyTheme();
});
whenSignedOut(signedOut);
router.start(show);
keys.listen({ search: openSearch, help: openHelp });
await takeKeyFromAddress();
begin();
