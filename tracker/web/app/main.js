// @ts-check
// The page: signs in, follows the log, shows the view of the address. All is put together here.
import { fill, h } from "./lib/dom.js";
import { t, language } from "./lib/i18n.js";
import * as keys from "./lib/keys.js";
import { findPlace, followPlace, keepPlace } from "./lib/place.js";
import { keepForOffline } from "./lib/offline.js";
import { applyTheme, onPref } from "./lib/prefs.js";
import * as router from "./lib/router.js";
import { access, setAccess, whenAccessChanges } from "./data/access.js";
import { forgetSession, whenSignedOut } from "./data/api.js";
import { Live } from "./data/live.js";
import { forgetList } from "./data/list.js";
import { overview } from "./data/overview.js";
import { navigated } from "./data/renewal.js";
import { store } from "./data/store.js";
import { holdTicks } from "./data/time.js";
import { Alerts } from "./parts/alerts.js";
import { showBadge } from "./parts/badge.js";
import { toFailure } from "./parts/failures.js";
import { openHelp } from "./parts/help.js";
import { rememberKey } from "./parts/snippets.js";
import { openSearch } from "./parts/search.js";
import { Shell } from "./parts/shell.js";
import { sidePanel } from "./parts/side-panel.js";
import { heading, missing } from "./parts/layout.js";
import { problemWith } from "./parts/view.js";
import { refusal, signIn, signInForm } from "./views/sign-in.js";
import { needs } from "./views/now-needs.js";
import "./views/now.js";
import "./views/tasks.js";

// There before the first words are laid out, not laid out anew after them. Without it they have another.
document.fonts.load("1em 'Inter Variable'").catch(() => null);

const live = new Live(store, () => {
	holdTicks(live.state === "offline" || live.state === "catching-up");
	shell.showState(live);
}, (events) => alerts.hear(events));
const alerts = new Alerts(() => title());
let shell = new Shell(live);
let refused = "";

const readLater = () => import("./views/later.js");
let isAllRead = false;

function makeView(name, args, query) {
	const View = customElements.get(`${name}-view`);
	if (View) return new View(args, query);
	if (isAllRead) return h("div", heading(t("nav.missing")), missing(t("missing")));
	return h("div", { "aria-busy": "true" });
}

/** What the address names may be among what is not read yet: then it is shown as soon as it is. */
function show({ focus = true } = {}) {
	const { name, args, query } = router.current();
	if (name !== "task") forgetList();
	navigated();
	const isRead = isAllRead || customElements.get(`${name}-view`);
	shell.show(name, makeView(name, args, query), ["project", "task"].includes(name) ? args[0] : undefined);
	title();
	if (!isRead) return void readAll(() => show({ focus }));
	if (focus) shell.main.querySelector("h1")?.focus({ preventScroll: true });
	findPlace();
}

/** @param {() => void} [then] Whoever waits for it. */
async function readAll(then) {
	try {
		await readLater();
		isAllRead = true;
		if (shell.element.isConnected) then?.();
	} catch (error) {
		if (!then) return; // whoever goes there is told
		// Browsers do not ask again for a module that they could not read.
		const problem = problemWith(error, () => location.reload());
		fill(shell.main, problem);
		store.whenBack(() => problem.isConnected && location.reload());
	}
}

function title() {
	const { name, args } = router.current();
	const place = args.findLast(Boolean) ?? t(`nav.${name}`);
	document.title = `${alerts.unseen ? `(${alerts.unseen}) ` : ""}${place} · Agent Task Tracker`;
}

/** What needs a person, whatever the view, and out of sight. @type {Set<string>} */
let needed = new Set();

const whenIdle = globalThis.requestIdleCallback ?? setTimeout;
let isBadgeDue = false;

/** Once what is seen is drawn. */
function badgeSoon() {
	if (isBadgeDue) return;
	isBadgeDue = true;
	whenIdle(badge, { timeout: 1000 });
}

function badge() {
	isBadgeDue = false;
	if (!overview.isRead) return;
	needed = new Set(needs(needed).map(({ key }) => key));
	showBadge(needed.size);
}

/** Fill the page, around a new key that has not been copied yet. */
function present(...content) {
	fill(document.body, content, document.querySelector(".secret"));
}

// Milliseconds. What surrounds Now is seen with what is in it, if that is there so soon: a frame without it
// puts it off.
const A_MOMENT = 120;

function begin() {
	live.start();
	overview.start();
	if (router.current().name === "now") hideForAMoment(shell.element);
	presentShell();
}

function presentShell() {
	present(shell.element, ...alerts.elements);
	show({ focus: false });
}

/** @param {HTMLElement} element */
function hideForAMoment(element) {
	element.hidden = true;
	const stop = overview.listen(() => appear());
	const timer = setTimeout(appear, A_MOMENT);
	function appear() {
		element.hidden = false;
		stop();
		clearTimeout(timer);
	}
}

/** By himself, or because the server takes the session no more. */
function signedOut() {
	if (document.querySelector("#key")) return; // keep what is typed
	const name = access()?.name;
	const why = name ? t("signIn.ended", { name }) : refused;
	refused = "";
	live.stop();
	overview.stop();
	showBadge(0);
	forgetSession();
	rememberKey(null);
	store.reset();
	shell = new Shell(live); // nothing in it is for who signs in next
	document.title = `${t("signIn.title")} · Agent Task Tracker`;
	present(h("main.sign-in-page", signInForm(begin, why)));
	/** @type {HTMLElement} */ (document.querySelector("#key")).focus();
}

/** Another session in this browser is another's: what this page holds is not for it. */
function accessChanged(isAnother) {
	if (!isAnother) return shell.showAccess();
	store.reset();
	makeAnew();
}

function makeAnew() {
	shell = new Shell(live);
	presentShell();
}

function redraw() {
	applyTheme();
	document.documentElement.lang = language();
	if (shell.element.isConnected) makeAnew();
}

/** The address printed at start-up carries the key in its fragment, which browsers never send. */
async function takeKeyFromAddress() {
	const key = new URLSearchParams(location.hash.slice(1)).get("key");
	if (!key) return;
	history.replaceState(null, "", location.pathname + location.search);
	try {
		await signIn(key);
	} catch (error) {
		// What follows finds no session, says this and asks for the right key.
		refused = refusal(error);
	}
}

applyTheme();
document.documentElement.lang = language();
onPref((name) => {
	if (name === "language") redraw();
	else if (name === "out") {
		setAccess(null);
		signedOut();
	}
	else applyTheme();
});
whenSignedOut(signedOut);
whenAccessChanges(accessChanged);
overview.listen(() => {
	shell.showOverview();
	badgeSoon();
	if (!isAllRead && overview.isRead) whenIdle(() => readAll(), { timeout: 1000 });
});
sidePanel.listen(readLater); // before the router, which leaves to it what it takes
router.start(show, keepPlace);
followPlace();
keys.listen({ search: openSearch, help: openHelp, failure: toFailure });
await takeKeyFromAddress();
begin();
keepForOffline();
