// @ts-check
// "/": find a task of any project, or a project, and go there.
import { fill, go, h, icon, isolate, paths, t } from "../lib/index.js";
import { api, shownStatus, store } from "../data/index.js";
import { openDialog } from "./dialog.js";
import { status } from "./marks.js";

const TYPING_MS = 120;

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

	const point = (index) => {
		at = Math.max(0, Math.min(items.length - 1, index));
		items.forEach((item, i) => item.setAttribute("aria-selected", i === at));
		items[at]?.scrollIntoView({ block: "nearest" });
		if (items[at]) input.setAttribute("aria-activedescendant", items[at].id);
		else input.removeAttribute("aria-activedescendant");
	};
	const show = (hits) => {
		items = hits.map(({ href, content }, index) =>
			h("li", { role: "option", id: `found-${index}`, "data-href": href, onclick: () => follow(href) }, content));
		fill(results, items);
		if (items.length) note.textContent = "";
		point(0);
	};
	const follow = (href) => {
		dialog.close();
		go(href);
	};
	let run = 0;
	let timer = 0;
	input.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(async () => {
			const mine = ++run;
			const words = input.value.trim();
			const hits = words ? await find(words) : [];
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
		} else if (event.key === "Enter" && items[at]) follow(items[at].dataset.href);
		else if (event.key === "Escape") dialog.close(); // which would clear the field first
	});
	openDialog(dialog);
	input.focus();
}

async function find(words) {
	const [{ projects }, { tasks }] = await Promise.all([
		api.projects({ limit: 200 }), api.search(words),
	]).catch(() => [{ projects: [] }, { tasks: [] }]);
	const wanted = words.toLowerCase();
	const named = projects.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, 4);
	return [
		...named.map(({ name }) => ({
			href: paths.project(name),
			content: [h("span.status", icon("projects"), t("search.project")), h("strong", isolate(name))],
		})),
		...tasks.map((task) => ({
			href: paths.task(task.project, task.task_id),
			content: [status(shownStatus(store.merge(task))), h("strong", isolate(task.title)), isolate(task.project)],
		})),
	];
}
