// @ts-check
// In a wide window a task opens beside the list that it is in: by a click on its row, or by Space. It
// stands in the address (`?task=project/id`), so that it is there after a reload and on the way back.
import { encode, h, icon, isPlain, paths, setQuery, t, viewAt } from "../lib/index.js";
import { isTyping } from "../lib/keys.js";

const isWide = matchMedia("(min-width: 1200px)");

class SidePanel {
	element = h("aside.side-panel", { hidden: true });
	#main = document.body;
	/** The row that it was opened by: a task may have several. @type {Element | null} */
	#from = null;
	// Rows come and go as a list is scrolled.
	#rows = new MutationObserver(() => this.#mark());

	/** @type {() => Promise<unknown>} */
	#readTaskView = async () => null;

	/** `readTaskView`: has the view of a task defined, if it is not yet. */
	listen(readTaskView) {
		this.#readTaskView = readTaskView;
		isWide.addEventListener("change", () => this.follow(this.#main));
		document.addEventListener("click", (event) => {
			// Enter clicks too: what is clicked by a key, or by a program, opens as a page.
			const link = event.detail > 0 && !event.defaultPrevented && isPlain(event) && this.#rowOf(event.target);
			if (!link) return;
			event.preventDefault();
			link.focus({ preventScroll: true });
			this.open(link);
		});
		document.addEventListener("keydown", (event) => {
			if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
			if (event.key === "Escape" && this.of && !isTyping(event.target)) this.close();
			else if (event.key === " " && this.#rowOf(event.target)) this.#toggle(this.#rowOf(event.target));
			else return;
			event.preventDefault();
		});
	}

	/** The address of the task that is shown; "": none is. */
	get of() {
		return this.element.dataset.of ?? "";
	}

	/** Show what the address names, beside the view that `main` holds now. */
	follow(main) {
		this.#main = main;
		const [project, id] = (new URLSearchParams(location.search).get("task") ?? "").split("/").map(decoded);
		const isList = !main.querySelector(":scope > task-view");
		if (isWide.matches && isList && project && id) this.#show(project, id);
		else this.#hide();
	}

	/** @param {HTMLElement | string} row A link to a task, or its address. */
	open(row, { focus = false } = {}) {
		const href = typeof row === "string" ? row : row.getAttribute("href") ?? "";
		const [project, id] = viewAt(new URL(href, location.href)).args;
		this.#from = typeof row === "string" ? null : row;
		this.#mark();
		if (href !== this.of) {
			setQuery({ task: `${encode(project)}/${encode(id)}`, tab: null });
			this.#show(project, id);
		}
		if (focus) this.#focus();
	}

	/** That of the task that is shown, as `keyOf` has it; "": none is. */
	get key() {
		return this.of && viewAt(new URL(this.of, location.href)).args.join("\0");
	}

	get hasFocus() {
		return this.element.contains(document.activeElement);
	}

	close() {
		const row = this.#row();
		setQuery({ task: null, tab: null });
		this.#hide();
		(row ?? this.#main).focus({ preventScroll: true });
	}

	#show(project, id) {
		const href = paths.task(project, id);
		const TaskView = /** @type {any} */ (customElements.get("task-view"));
		// Where it cannot be read, the row leads to the page of the task all the same.
		if (!TaskView) return void this.#readTaskView().then(() => this.follow(this.#main), () => null);
		const view = new TaskView([project, id], new URLSearchParams(location.search));
		view.level = 2;
		this.element.dataset.of = href;
		this.element.setAttribute("aria-label", t("panel.label"));
		this.element.hidden = false;
		this.element.replaceChildren(
			h("div.panel-bar",
				h("a", { href }, t("panel.whole")),
				h("button.button.button-icon", {
					type: "button", title: t("panel.close"), "aria-label": t("panel.close"), onclick: () => this.close(),
				}, icon("close"))),
			h("div.panel-task", { "data-keeps-place": "" }, view));
		this.#rows.disconnect();
		this.#rows.observe(this.#main, { subtree: true, childList: true, attributeFilter: ["href"] });
		this.#mark();
	}

	#hide() {
		this.#rows.disconnect();
		delete this.element.dataset.of;
		this.element.hidden = true;
		this.element.replaceChildren();
		this.#mark();
	}

	#toggle(link) {
		if (link.getAttribute("href") === this.of) this.close();
		else this.open(link, { focus: true });
	}

	#focus() {
		/** @type {HTMLElement | null} */ (this.element.querySelector(".task-name"))?.focus({ preventScroll: true });
	}

	/** @returns {HTMLElement | null} */
	#row() {
		if (!this.of) return null;
		const address = `a[href="${CSS.escape(this.of)}"]`;
		const from = this.#main.contains(this.#from) && this.#from?.matches(address) ? this.#from : null;
		return /** @type {HTMLElement | null} */ (from ?? this.#main.querySelector(address));
	}

	/** The link to a task in a list, where there is room beside it. */
	#rowOf(target) {
		const link = isWide.matches && target instanceof Element && target.closest("a[href^='/']");
		if (!link || !this.#main.contains(link) || link.closest("task-view")) return null;
		return viewAt(new URL(/** @type {HTMLAnchorElement} */ (link).href)).name === "task" ? /** @type {HTMLElement} */ (link) : null;
	}

	#mark() {
		const row = this.#row();
		for (const link of this.#main.querySelectorAll("a[aria-current='true']")) if (link !== row) link.removeAttribute("aria-current");
		row?.setAttribute("aria-current", "true");
	}
}

function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

export const sidePanel = new SidePanel();
