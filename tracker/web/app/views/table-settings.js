// @ts-check
// Which columns a table of tasks has, and how high its rows are: for this browser.
import { h, icon, pref, setPref, t } from "../lib/index.js";
import { openDialog } from "../parts/index.js";

/** Those that one can do without. Status and title are always there. */
const OPTIONAL = ["agent", "progress", "started", "updated", "attempt", "duration", "used"];
const AT_FIRST = "agent progress started duration used";
/** Heights of rows in pixels. */
const HEIGHTS = { comfortable: 44, compact: 32 };
const HEIGHT_ON_PHONES = 64;

/** @returns {{columns: string[], density: "comfortable" | "compact", rowHeight: number}} */
export function tableSettings() {
	const chosen = pref("columns", AT_FIRST).split(" ");
	const density = pref("density") === "compact" ? "compact" : "comfortable";
	const isPhone = matchMedia("(max-width: 760px)").matches;
	return { columns: OPTIONAL.filter((name) => chosen.includes(name)), density, rowHeight: isPhone ? HEIGHT_ON_PHONES : HEIGHTS[density] };
}

/** A button that opens them; `onChange()` after each. */
export function tableSettingsButton(onChange) {
	const change = (name, value) => {
		setPref(name, value);
		onChange();
	};
	return h("button.button.button-icon.table-settings", {
		type: "button", title: t("columns.title"), "aria-label": t("columns.title"), "aria-haspopup": "dialog", onclick: () => open(change),
	}, icon("columns"));
}

function open(change) {
	const { columns, density } = tableSettings();
	const boxes = OPTIONAL.map((name) => /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", value: name, checked: columns.includes(name) })));
	const choose = () => change("columns", boxes.filter((box) => box.checked).map((box) => box.value).join(" "));
	const dialog = h("dialog.dialog.ask.columns-dialog", { "aria-labelledby": "columns-title" },
		h("h2", { id: "columns-title" }, t("columns.title")),
		h("fieldset", { onchange: choose }, h("legend.sr-only", t("columns.title")),
			boxes.map((box) => h("label.check", box, t(`column.${box.value}`)))),
		h("fieldset", h("legend", t("columns.density")), Object.keys(HEIGHTS).map((name) => h("label.check",
			h("input", { type: "radio", name: "density", checked: name === density, onchange: () => change("density", name) }), t(`columns.${name}`)))),
		h("div.dialog-buttons", h("button.button.button-strong", { type: "button", onclick: () => dialog.close() }, t("columns.done"))));
	openDialog(dialog);
}
