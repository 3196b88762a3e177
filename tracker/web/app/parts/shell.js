// @ts-check
// What surrounds every view: where one can go, how much goes on, and whether what one sees is live.
import {
	attribute, clockTime, fill, h, icon, isolate, keyed, LANGUAGES, number, paths, setPref, t, text,
} from "../lib/index.js";
import { access, NEWS, overview, serverNow } from "../data/index.js";
import { nextTheme, otherLanguage, signOut } from "./actions.js";
import { openHelp } from "./help.js";
import { openSearch } from "./search.js";
import { sidePanel } from "./side-panel.js";

const PLACES = ["now", "tasks", "insights"];
const BELONGS_TO = { projects: "tasks", project: "tasks", task: "tasks", events: "tasks", timeline: "tasks" };
/** The ways to look at all tasks, each of them a view. */
const TABS = ["tasks", "projects", "timeline", "events"];
// Names of projects in the line above a view; settings have all of them.
const NAMED_PROJECTS = 3;
// Projects in the side bar.
const SHOWN_PROJECTS = 8;
const STATES = { connecting: "silent", "catching-up": "running", live: "completed", offline: "failed" };
/** What is counted at the top, and the tasks that are. */
const TALLIES = {
	waiting: { attention: 1 }, silent: { silent: 1 }, failed: { status: "failed", since: NEWS }, running: { status: "running" },
};

export class Shell {
	main = h("main.main", { id: "main", tabindex: "-1" });
	#state = h("div.state", { role: "status" });
	#who = h("a.who", { href: paths.settings(), hidden: true });
	#scope = h("p.scope", { hidden: true });
	#trouble = h("p.trouble", { role: "alert", hidden: true });
	#links = Object.fromEntries([...PLACES, "settings"].map((name) => [name, navLink(name)]));
	#tabs = Object.fromEntries(TABS.map((name) => [name, h("a", { href: paths[name]() }, t(`tab.${name}`))]));
	#tabList = h("nav.tabs.place-tabs", { "aria-label": t("nav.tasks"), hidden: true }, Object.values(this.#tabs));
	#tallies = Object.fromEntries(Object.entries(TALLIES).map(([name, filters]) => [name, new Tally(name, filters)]));
	#projects = h("div.side-list", { role: "list" });
	#all = h("a.side-all", { href: paths.projects() });
	#projectsNav = h("nav.side-projects", { "aria-labelledby": "side-projects", hidden: true },
		h("h2", { id: "side-projects" }, t("nav.projects")), this.#projects, this.#all);
	#showProjects = keyed(this.#projects, () => new ProjectEntry(), (entry, shown) => entry.show(shown));
	/** @type {string | undefined} */
	#current;

	constructor(live) {
		this.element = h("div.shell",
			h("a.skip", { href: "#main", onclick: (event) => (event.preventDefault(), this.main.focus()) }, t("skip")),
			this.#trouble,
			h("aside.side", { "aria-label": "Agent Task Tracker" },
				h("a.brand", { href: paths.now() }, icon("brand"), h("span", "Agent Task Tracker")),
				h("nav.nav", { "aria-label": t("nav.label") }, PLACES.map((name) => this.#links[name])),
				this.#projectsNav,
				h("div.side-tools",
					this.#who, this.#links.settings,
					h("div.side-buttons",
						tool("help", t("help.title"), openHelp),
						tool("theme", t("settings.theme"), nextTheme),
						languageButton(),
						tool("out", t("signOut"), signOut)))),
			h("div.content",
				h("header.top",
					h("button.button.palette-button", { type: "button", onclick: openSearch, "aria-keyshortcuts": "Control+K Meta+K /" },
						icon("search"), h("span", t("search.title")), h("kbd", "Ctrl K")),
					h("ul.tallies", { "aria-label": t("tally.label") }, Object.values(this.#tallies).map(({ element }) => element)),
					this.#state,
					h("a.button.button-icon.top-settings", { href: paths.settings(), title: t("nav.settings"), "aria-label": t("nav.settings") },
						icon("settings"))),
				h("div.beside", h("div.place", this.#scope, this.#tabList, this.main), sidePanel.element)));
		this.showState(live);
		this.showAccess();
		this.showOverview();
	}

	/** `project`: whose the view is, if it is one's. */
	show(name, view, project) {
		mark(this.#links, BELONGS_TO[name] ?? name);
		mark(this.#tabs, name);
		this.#tabList.hidden = !TABS.includes(name);
		this.#current = project;
		this.showOverview();
		if (this.main.firstChild) this.main.scrollTop = 0; // an empty one would be laid out for it
		fill(this.main, view);
		sidePanel.follow(this.main);
	}

	/** How much goes on, and in which projects. */
	showOverview() {
		if (!overview.isRead) return;
		const { counts, projects, projectsTotal: total, failed } = overview;
		for (const [name, tally] of Object.entries(this.#tallies)) tally.show(counts[name], counts.isAll || name === "failed");
		this.#projectsNav.hidden = !total;
		const failures = new Map();
		for (const { project } of failed) failures.set(project, (failures.get(project) ?? 0) + 1);
		const running = new Set(overview.active.filter(({ status }) => status === "running").map(({ project }) => project));
		this.#showProjects(projects.slice(0, SHOWN_PROJECTS).map(({ name }) => ({
			name, runs: running.has(name), failures: failures.get(name) ?? 0,
			isCurrent: name === this.#current,
		})), ({ name }) => name);
		text(this.#all, t("nav.allProjects", { count: total }));
		this.#all.hidden = total <= SHOWN_PROJECTS;
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
		const since = state === "offline" && offlineSince && clockTime(offlineSince, serverNow());
		const kind = refused ? "refused" : since ? `offline ${since}` : "";
		if (this.#trouble.dataset.kind !== kind) {
			this.#trouble.dataset.kind = kind;
			this.#trouble.hidden = !kind;
			fill(this.#trouble, icon("failed"), refused
				? h("span", t("state.refused"), " ", h("code", `--cors-origin ${location.origin}`))
				: h("span", since && t("state.offlineBanner", { time: since })));
		}
		this.element.dataset.state = state;
		this.#state.dataset.state = state;
		fill(this.#state, icon(STATES[state]), h("span", since ? t("state.offline", { time: since }) : t(`state.${state}`)));
	}
}

/** A count as a link to what is counted. */
class Tally {
	#value = h("strong", "–");
	#name;

	constructor(name, filters) {
		this.#name = name;
		this.element = h(`li.tally.tally-${name}.status-${name}`, { "data-zero": true },
			h("a", { href: paths.tasks(filters), title: t(`tally.${name}`) }, icon(name), this.#value,
				h("span.tally-word", t(`tally.${name}`))));
	}

	show(count, isAll) {
		text(this.#value, number(count) + (isAll ? "" : "+"));
		this.element.toggleAttribute("data-zero", !count);
	}
}

class ProjectEntry extends HTMLElement {
	#dot = h("span.dot");
	#name = isolate("");
	#failures = h("span.side-failures");
	#runs = h("span.sr-only");
	#link = h("a.nav-link", this.#dot, this.#runs, this.#name, this.#failures);

	connectedCallback() {
		if (this.firstChild) return;
		this.setAttribute("role", "listitem");
		this.append(this.#link);
	}

	show({ name, runs, failures, isCurrent }) {
		text(this.#name, name);
		attribute(this.#link, "href", paths.project(name));
		attribute(this.#link, "title", name);
		if (!isCurrent) this.#link.removeAttribute("aria-current");
		else attribute(this.#link, "aria-current", "page");
		this.#dot.toggleAttribute("data-runs", runs);
		text(this.#runs, runs ? t("nav.runs") : "");
		if (this.dataset.failures === String(failures)) return;
		this.dataset.failures = String(failures);
		this.#failures.hidden = !failures;
		this.#failures.title = t("count.failed", { count: failures });
		fill(this.#failures, number(failures), h("span.sr-only", ` ${t("tally.failed")}`));
	}
}

customElements.define("project-entry", ProjectEntry);

function navLink(name) {
	return h("a.nav-link", { href: paths[name]() }, icon(name), h("span", t(`nav.${name}`)));
}

function mark(links, current) {
	for (const [name, link] of Object.entries(links)) {
		if (name === current) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
}

function tool(name, label, action) {
	return h("button.button.button-icon", { type: "button", title: label, "aria-label": label, onclick: action }, icon(name));
}

function languageButton() {
	const other = otherLanguage();
	return h("button.button.button-icon.language", {
		type: "button", lang: other, title: LANGUAGES[other],
		// Said, not written: letters would have their font read, though nobody sees them.
		"aria-label": `${other.toUpperCase()} ${LANGUAGES[other]}`,
		onclick: () => setPref("language", other),
	}, other.toUpperCase());
}
