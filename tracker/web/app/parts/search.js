// @ts-check
// "/" and Ctrl K: find a task of any project, a project, a place or something to do; and go there, or do it.
import { fill, go, h, icon, isolate, LANGUAGES, paths, setPref, t } from "../lib/index.js";
import { api, isAdmin, overview, shownStatus, store } from "../data/index.js";
import { nextTheme, otherLanguage, signOut } from "./actions.js";
import { copyText } from "./copy.js";
import { openDialog } from "./dialog.js";
import { openHelp } from "./help.js";
import { status } from "./marks.js";
import { curl } from "./snippets.js";

const TYPING_MS = 120;
const RECENT = 6;
const PROJECTS = 4;
const PLACES = ["now", "tasks", "insights", "projects", "events", "settings"];

/** @typedef {{words: string, content: any, act: () => unknown}} Offer */

export function openSearch() {
	const results = h("ul.found", { role: "listbox", id: "found", "aria-label": t("search.results") });
	const input = h("input", {
		type: "search", placeholder: t("search.placeholder"), "aria-label": t("search.placeholder"),
		role: "combobox", "aria-expanded": "true", "aria-controls": "found", autocomplete: "off",
	});
	const note = h("p.quiet", { role: "status" });
	const dialog = h("dialog.dialog.search", { "aria-label": t("search.title") },
		h("div.search-field", icon("search"), input), results, note);
	let at = 0;
	let items = [];
	/** @type {Offer[]} */
	let offers = [];

	const point = (index) => {
		at = Math.max(0, Math.min(items.length - 1, index));
		items.forEach((item, i) => item.setAttribute("aria-selected", i === at));
		items[at]?.scrollIntoView({ block: "nearest" });
		if (items[at]) input.setAttribute("aria-activedescendant", items[at].id);
		else input.removeAttribute("aria-activedescendant");
	};
	const show = (found) => {
		offers = found;
		items = found.map(({ content }, index) =>
			h("li", { role: "option", id: `found-${index}`, onclick: () => choose(index) }, content));
		fill(results, items);
		if (items.length) note.textContent = "";
		point(0);
	};
	const choose = (index) => {
		dialog.close();
		offers[index].act();
	};
	let run = 0;
	let timer = 0;
	input.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(async () => {
			const mine = ++run;
			const words = input.value.trim();
			const hits = words ? await find(words) : atFirst();
			if (mine !== run) return;
			note.textContent = words && t("search.none");
			show(hits);
		}, TYPING_MS);
	});
	input.addEventListener("keydown", (event) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (step) {
			event.preventDefault();
			point(at + step);
		} else if (event.key === "Enter" && items[at]) {
			event.preventDefault();
			choose(at);
		} else if (event.key === "Escape") dialog.close(); // which would clear the field first
	});
	show(atFirst());
	openDialog(dialog);
	input.focus();
}

/** Before anything is typed: where one can go, what was heard of last, what can be done. */
function atFirst() {
	const recent = [...store.tasks.values()].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1)).slice(0, RECENT);
	return [...places(), ...recent.map(taskOffer), ...actions()];
}

async function find(words) {
	const wanted = words.toLowerCase();
	const isWanted = (offer) => offer.words.toLowerCase().includes(wanted);
	const [{ projects }, { tasks }] = await Promise.all([
		api.projects({ limit: 200 }), api.search(words),
	]).catch(() => [{ projects: overview.projects }, { tasks: [] }]);
	const named = projects.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, PROJECTS);
	return [
		...places().filter(isWanted),
		...named.map(({ name }) => offer("projects", t("search.project"), name, () => go(paths.project(name)))),
		...actions().filter(isWanted),
		...tasks.map(taskOffer),
	];
}

/** @returns {Offer} */
function offer(name, kind, words, act) {
	return { words, act, content: [h("span.status", icon(name), kind), h("strong", isolate(words))] };
}

function places() {
	return PLACES.map((name) => offer(name, t("search.place"), t(`nav.${name}`), () => go(paths[name]())));
}

/** @returns {Offer} */
function taskOffer(task) {
	return {
		words: task.title, act: () => go(paths.task(task.project, task.task_id)),
		content: [status(shownStatus(store.merge(task))), h("strong", isolate(task.title)), isolate(task.project)],
	};
}

function actions() {
	const other = otherLanguage();
	const action = (name, words, act) => offer(name, t("search.action"), words, act);
	return [
		action("theme", t("settings.theme"), nextTheme),
		action("language", LANGUAGES[other], () => setPref("language", other)),
		isAdmin() && action("copy", t("search.copyCommand"), async () => copyText(curl(await api.info()).copied)),
		isAdmin() && action("key", `${t("keys.title")}, ${t("audit.title")}`, () => go(paths.settings())),
		action("help", t("help.title"), openHelp),
		action("out", t("signOut"), signOut),
	].filter((one) => one !== false);
}
