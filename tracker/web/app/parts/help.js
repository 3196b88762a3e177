// @ts-check
// "?": the keys.
import { h, icon, t } from "../lib/index.js";
import { openDialog } from "./dialog.js";

/** @type {[string[], string][]} */
const KEYS = [
	[["Ctrl K", "/"], "help.search"], [["j", "k"], "help.move"], [["Enter"], "help.open"],
	[["Space"], "help.beside"], [["[", "]"], "help.failures"], [["x"], "help.choose"],
	[["g", "n"], "nav.now"], [["g", "t"], "nav.tasks"], [["g", "i"], "nav.insights"],
	[["g", "p"], "nav.projects"], [["g", "e"], "nav.events"], [["g", "o"], "nav.settings"],
	[["c", "a", "z", "x"], "help.needs"],
	[["+", "−", "←", "→", "0"], "help.timeline"], [["Esc"], "help.close"], [["?"], "help.title"],
];

export function openHelp() {
	const dialog = h("dialog.dialog.help", { "aria-labelledby": "help-title" },
		h("h2", { id: "help-title" }, t("help.title")),
		h("dl.keys", KEYS.map(([keys, label]) =>
			h("div", h("dt", keys.map((key) => h("kbd", key))), h("dd", t(label))))),
		h("button.button.button-icon.dialog-close", {
			type: "button", "aria-label": t("help.close"), onclick: () => dialog.close(),
		}, icon("close")));
	openDialog(dialog);
}
