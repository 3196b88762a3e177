// @ts-check
// An error with its stack trace: the user's own code stands out from that of libraries.
import { h, isolate, t } from "../lib/index.js";
import { readTrace } from "../lib/trace.js";
import { copyButton, section } from "../parts/index.js";

/** @typedef {import("../lib/trace.js").Line} Line */
/** @typedef {{error_type?: string | null, error_message?: string | null, stack_trace?: string | null}} Failure */

/**
 * @param {Failure} failed
 */
export function failure(failed, title = t("task.error")) {
	const { error_type: type, error_message: words, stack_trace: trace } = failed;
	return section(title,
		h("p.error-words", type && h("strong", isolate(type)), type && words && ": ", isolate(words ?? "")),
		trace && stack(trace),
		h("div.error-takes",
			copyButton(t("trace.copyError"), () => [[type, words].filter(Boolean).join(": "), trace].filter(Boolean).join("\n\n"))));
}

function stack(trace) {
	const lines = readTrace(trace.trimEnd());
	const pre = h("pre.trace", { tabindex: "0", "aria-label": t("task.trace") }, parts(lines));
	const folds = [...pre.querySelectorAll("details")];
	const all = folds.length > 0 && h("label.check",
		h("input", { type: "checkbox", onchange: (event) => folds.forEach((fold) => (fold.open = event.target.checked)) }),
		t("trace.libraries"));
	return h("div.trace-holder", all, h("div.snippet", pre, copyButton(t("copy.copy"), () => trace)));
}

/** Frames of libraries one after the other are folded. */
function parts(lines) {
	const shown = [];
	for (let at = 0; at < lines.length;) {
		let end = at;
		while (lines[end]?.library) end++;
		if (end === at) shown.push(line(lines[end++]));
		else {
			const count = lines.slice(at, end).filter(({ kind }) => kind === "frame").length;
			shown.push(h("details.trace-fold", h("summary", t("trace.folded", { count })), lines.slice(at, end).map(line)));
		}
		at = end;
	}
	return shown;
}

/** @param {Line} line */
function line({ text, kind, library, origin }) {
	const classes = ["trace-line", `trace-${kind}`, library && "trace-library", origin && "trace-origin"].filter(Boolean);
	const element = h(`bdi.${classes.join(".")}`, text, "\n");
	if (origin) element.title = t("trace.origin");
	return element;
}
