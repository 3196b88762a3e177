// @ts-check
// Builds elements. Text only ever becomes text nodes: nothing here, or anywhere, parses HTML.

/**
 * h("a.row", {href, onclick, "aria-label"}, child, [children], "text") → element.
 * The properties may be left out; those beginning with "on" are listeners; null, undefined and
 * false are none.
 */
export function h(tag, ...rest) {
	const [name, ...classes] = tag.split(".");
	const element = document.createElement(name);
	if (classes.length) element.className = classes.join(" ");
	const [first] = rest;
	const isProperties = first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
	if (isProperties) set(element, rest.shift());
	element.append(...nodes(rest));
	return element;
}

export function set(element, properties) {
	for (const [name, value] of Object.entries(properties)) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (value === true) element.setAttribute(name, "");
		else if (value === false || value == null) element.removeAttribute(name);
		else element.setAttribute(name, value);
	}
	return element;
}

function nodes(children) {
	return children.flat(Infinity).filter((child) => child != null && child !== false);
}

/** Text that somebody else wrote: isolated, so that its direction cannot reorder ours. */
export function isolate(text, tag = "bdi") {
	return h(tag, { dir: "auto" }, text ?? "");
}

export function svg(tag, attributes, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
	element.append(...nodes(children));
	return element;
}

/** Make `element` hold these children; those that are there already stay as they are, focus too. */
export function fill(element, ...children) {
	const wanted = nodes(children).map((c) => (c instanceof Node ? c : document.createTextNode(c)));
	const keep = new Set(wanted);
	for (const old of [...element.childNodes]) if (!keep.has(old)) old.remove();
	wanted.forEach((node, index) => {
		const there = element.childNodes[index];
		if (there !== node) element.insertBefore(node, there ?? null);
	});
	return element;
}

/** Keeps one element for each key: `make(item)` once, `update(element, item)` every time. */
export function keyed(container, make, update) {
	let known = new Map();
	return (items, keyOf) => {
		const next = new Map();
		for (const item of items) {
			const key = keyOf(item);
			const element = known.get(key) ?? make(item);
			update(element, item);
			next.set(key, element);
		}
		known = next;
		fill(container, [...next.values()]);
	};
}

/** Only if it is another: whatever is set makes the browser look at the element again. */
export function attribute(element, name, value) {
	if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** The same of its text. What is there already is written over: a selection that spans it stays. */
export function text(element, value) {
	const node = element.firstChild;
	value = String(value ?? "");
	if (!(node instanceof Text) || node.nextSibling) {
		if (element.textContent !== value) element.textContent = value;
	} else if (node.data !== value) node.data = value;
}
