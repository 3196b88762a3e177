// @ts-check
// What surrounds every view: where one can go, and whether what one sees is live.
import {
	clockTime, fill, h, icon, isolate, language, LANGUAGES, paths, pref, setPref, t,
} from "../lib/index.js";
import { access, api, serverNow } from "../data/index.js";
import { openHelp } from "./help.js";
import { openSearch } from "./search.js";

const PLACES = ["now", "projects", "stats", "events", "settings"];
const BELONGS_TO = { project: "projects", task: "projects" };
// Names of projects in the line above a view; settings have all of them.
const NAMED_PROJECTS = 3;
const STATES = { connecting: "silent", "catching-up": "running", live: "completed", offline: "failed" };

export class Shell {
	main = h("main.main", { id: "main", tabindex: "-1" });
	#state = h("div.state", { role: "status" });
	#who = h("a.who", { href: paths.settings(), hidden: true });
	#scope = h("p.scope", { hidden: true });
	#refused = h("p.refused", { role: "alert", hidden: true });
	#links = Object.fromEntries(PLACES.map((name) =>
		[name, h("a.nav-link", { href: paths[name]() }, icon(name), h("span", t(`nav.${name}`)))]));

	constructor(live) {
		this.element = h("div.shell",
			h("a.skip", { href: "#main", onclick: (event) => (event.preventDefault(), this.main.focus()) }, t("skip")),
			h("header.side",
				h("a.brand", { href: paths.now() }, icon("brand"), h("span", "Agent Task Tracker")),
				h("nav.nav", { "aria-label": t("nav.label") }, Object.values(this.#links)),
				h("div.side-tools",
					this.#who, this.#state,
					h("div.side-buttons",
						tool("search", t("search.title"), openSearch),
						tool("help", t("help.title"), openHelp),
						tool("theme", t("settings.theme"), nextTheme),
						languageButton(),
						tool("out", t("signOut"), () => api.signOut().catch(() => null).then(() => setPref("out", Date.now())))))),
			h("div.content", this.#refused, this.#scope, this.main));
		this.showState(live);
		this.showAccess();
	}

	show(name, view) {
		for (const [place, link] of Object.entries(this.#links)) {
			if (place === (BELONGS_TO[name] ?? name)) link.setAttribute("aria-current", "page");
			else link.removeAttribute("aria-current");
		}
		fill(this.main, view);
		this.main.scrollTop = 0;
	}

	/** Who is signed in, and that there may be more projects than they see. */
	showAccess() {
		const { name, role, projects } = access() ?? {};
		this.#who.hidden = !name;
		this.#scope.hidden = !projects;
		fill(this.#who, icon("key"), h("span", h("span.sr-only", `${t("access.title")} `), isolate(name), ` · ${role}`));
		if (!projects) return;
		const more = projects.length - NAMED_PROJECTS;
		fill(this.#scope, t("access.only"), " ",
			projects.slice(0, NAMED_PROJECTS).map((project, index) => [index > 0 && ", ", isolate(project)]),
			more > 0 && [" ", h("a", { href: paths.settings() }, t("access.more", { count: more }))]);
	}

	showState({ state, offlineSince, refused }) {
		if (this.#refused.hidden === refused) {
			this.#refused.hidden = !refused;
			fill(this.#refused, refused && [t("state.refused"), " ", h("code", `--cors-origin ${location.origin}`)]);
		}
		this.#state.dataset.state = state;
		const since = state === "offline" && offlineSince;
		fill(this.#state, icon(STATES[state]),
			h("span", since ? t("state.offline", { time: clockTime(since, serverNow()) }) : t(`state.${state}`)));
	}
}

function tool(name, label, action) {
	return h("button.button.button-icon", { type: "button", title: label, "aria-label": label, onclick: action }, icon(name));
}

function nextTheme() {
	const dark = pref("theme", "system") === "system"
		? matchMedia("(prefers-color-scheme: dark)").matches
		: pref("theme") === "dark";
	setPref("theme", dark ? "light" : "dark");
}

function languageButton() {
	const [other] = Object.keys(LANGUAGES).filter((name) => name !== language());
	return h("button.button.button-icon.language", {
		type: "button", lang: other, title: LANGUAGES[other], "aria-label": LANGUAGES[other],
		onclick: () => setPref("language", other),
	}, other.toUpperCase());
}
