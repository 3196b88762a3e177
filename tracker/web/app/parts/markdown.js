// @ts-check
// Markdown of agents as elements: text stays text, nothing is loaded, links are shown in full.
import { h, isolate, t } from "../lib/index.js";
import { isPlain, isStrange, MOST, parser, parserNow, safeLink } from "../lib/markdown.js";
import { snippet } from "./copy.js";

// Below the headings of the page and its sections.
const HIGHEST_HEADING = 3;
// Quotes and lists within each other; what is deeper stands as it was written.
const DEEPEST = 24;

/** @param {string} words */
export function markdown(words) {
	const element = h("div.markdown", { dir: "auto" });
	const asIs = () => element.replaceChildren(h("p", words));
	const render = () => {
		const parse = parserNow();
		if (parse) return element.replaceChildren(...rendered(parse, words));
		asIs();
		parser().then((parse) => element.replaceChildren(...rendered(parse, words)), () => null);
	};
	if (isPlain(words) || isStrange(words)) asIs();
	else if (words.length <= MOST) render();
	else {
		asIs();
		const button = h("button.button", { type: "button", onclick: render }, t("markdown.render"));
		element.prepend(button);
	}
	return element;
}

function rendered(parse, words) {
	try {
		return new Rendering(words).children(parse(words), 0);
	} catch (error) {
		if (!(error instanceof RangeError)) throw error;
		return [h("p", words)]; // nested deeper than the parser can go
	}
}

class Rendering {
	#source;
	/** @type {Map<string, string>} */
	#definitions = new Map();

	constructor(source) {
		this.#source = source;
	}

	/** @returns {any[]} */
	children(node, depth) {
		for (const child of node.children) {
			if (child.type === "definition") this.#definitions.set(child.identifier, child.url);
		}
		return node.children.map((child) => this.#element(child, depth + 1));
	}

	#element(node, depth) {
		if (depth > DEEPEST) return this.#asWritten(node);
		const inner = () => this.children(node, depth);
		switch (node.type) {
			case "text": return node.value;
			case "paragraph": return h("p", inner());
			case "heading": return h(`h${Math.min(6, HIGHEST_HEADING + node.depth - 1)}`, inner());
			case "emphasis": return h("em", inner());
			case "strong": return h("strong", inner());
			case "delete": return h("del", inner());
			case "inlineCode": return h("code", isolate(node.value));
			case "code": return snippet(node.value);
			case "break": return h("br");
			case "thematicBreak": return h("hr");
			case "blockquote": return h("blockquote", inner());
			case "list": return h(node.ordered ? "ol" : "ul", { start: node.ordered && node.start }, inner());
			case "listItem": return item(node.checked, inner());
			case "table": return table(node, (cell) => this.children(cell, depth));
			case "link": return link(node.url, inner()) ?? this.#asWritten(node);
			case "linkReference":
				return link(this.#definitions.get(node.identifier), inner()) ?? this.#asWritten(node);
			case "image": return link(node.url, [node.alt || node.url]) ?? this.#asWritten(node);
			case "imageReference": {
				const url = this.#definitions.get(node.identifier);
				return link(url, [node.alt || url]) ?? this.#asWritten(node);
			}
			case "definition": return null;
			case "footnoteReference": return h("sup", isolate(node.label));
			case "footnoteDefinition": return h("div.footnote", h("sup", isolate(node.label)), inner());
			default: return this.#asWritten(node); // HTML, and what a newer parser may know
		}
	}

	#asWritten({ position }) {
		return isolate(this.#source.slice(position.start.offset, position.end.offset));
	}
}

function item(checked, content) {
	const mark = checked == null ? "" : checked ? "☑ " : "☐ ";
	if (content[0] instanceof HTMLElement) content[0].prepend(mark);
	return h("li", content);
}

function link(address, content) {
	const href = safeLink(address);
	return href && h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" }, h("bdi", content));
}

function table({ children: [head, ...rows], align }, contentOf) {
	const row = (tag, { children }) => h("tr", children.map((cell, column) =>
		h(tag, { class: align[column] && `align-${align[column]}` }, contentOf(cell))));
	return h("div.scroll-x", { tabindex: "0", role: "group", "aria-label": t("markdown.table") },
		h("table", h("thead", row("th", head)), h("tbody", rows.map((one) => row("td", one)))));
}
