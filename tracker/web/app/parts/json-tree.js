// @ts-check
// JSON as a tree that opens and closes. Deep or long parts are built when they are opened.
import { h, isolate, t } from "../lib/index.js";

const AT_ONCE = 100;

export function jsonTree(value, depth = 0) {
	const entries = Object.entries(value);
	const list = h("ul.tree");
	const show = (from) => {
		list.append(...entries.slice(from, from + AT_ONCE).map(([k, v]) => node(k, v, depth)));
		if (entries.length > from + AT_ONCE) {
			const more = h("button.button", { type: "button" }, t("tree.more", { n: entries.length - from - AT_ONCE }));
			const item = h("li", more);
			more.addEventListener("click", () => (item.remove(), show(from + AT_ONCE)));
			list.append(item);
		}
	};
	show(0);
	return list;
}

function node(key, value, depth) {
	const name = isolate(key, "bdi");
	name.className = "tree-key";
	if (value === null || typeof value !== "object") return h("li", name, leaf(value));
	const size = Object.keys(value).length;
	const brief = Array.isArray(value) ? `[${size}]` : `{${size}}`;
	if (!size) return h("li", name, h("span.tree-size", brief));
	const details = h("details", h("summary", name, h("span.tree-size", brief)));
	let built = false;
	const build = () => {
		if (details.open && !built) details.append(jsonTree(value, depth + 1));
		built ||= details.open;
	};
	details.addEventListener("toggle", build);
	if (depth < 1 && size <= 20) {
		details.open = true;
		build();
	}
	return h("li", details);
}

function leaf(value) {
	const element = isolate(String(value));
	element.className = "tree-leaf";
	return element;
}
