// @ts-check
// What pages are laid out by: a heading, sections, figures, cells.
import { h, paths, t, text } from "../lib/index.js";

export function heading(title, ...beside) {
	return h("header.heading", h("h1", { tabindex: "-1" }, title), beside);
}

/** In place of a view where there is nothing: why, and the way home. */
export function missing(why) {
	return h("div.missing.empty-note", h("p", why), h("p", h("a", { href: paths.now() }, t("missingHome"))));
}

export function section(title, ...content) {
	return h("section.section", h("h2", title), content);
}

/** Labelled values, `update({name: text})` fills them: labels is {name: label}. */
export function figures(labels) {
	const values = {};
	const element = h("dl.figures",
		Object.entries(labels).map(([name, label]) => {
			values[name] = h("dd", "–");
			return h(`div.figure.figure-${name}`, h("dt", label), values[name]);
		}),
	);
	return {
		element,
		update(given) {
			for (const [name, value] of Object.entries(given)) {
				text(values[name], value);
				values[name].toggleAttribute("data-zero", value === "0");
			}
		},
	};
}

/** A cell of a row that is no <td>. */
export function cell(name, ...content) {
	return h(`div.${name}`, { role: "cell" }, content);
}
