// @ts-check
// An error with its stack trace: places in the code stand out from what is around them.
import { h, isolate, t } from "../lib/index.js";
import { copyButton, section } from "../parts/index.js";

// Python's, and JavaScript's and Java's way to name a place.
const PLACES = [/^\s*File "(.+?)", line \d+/, /^\s*at .+:\d+(:\d+)?\)?$/, /^\s*-->\s.+:\d+:\d+$/];

/** @param {import("../data/store.js").Task} task */
export function failure(task) {
	const { error_type: type, error_message: words, stack_trace: trace } = task;
	return section(t("task.error"),
		h("p.error-words", type && h("strong", isolate(type)), type && words && ": ", isolate(words ?? "")),
		trace && h("div.snippet",
			h("pre.trace", { tabindex: "0", "aria-label": t("task.trace") }, trace.split("\n").map(line)),
			copyButton(t("copy.copy"), () => trace)));
}

function line(words, index, all) {
	const place = PLACES.some((pattern) => pattern.test(words));
	const last = index === all.length - 1 && !/^\s/.test(words);
	const kind = place ? ".trace-place" : last || index === 0 ? ".trace-words" : "";
	return h(`bdi.trace-line${kind}`, words, "\n");
}
