// @ts-check
// Forms in dialogs: fields with a label, a hint, and the problem that the server has with them.
import { h, t, text } from "../lib/index.js";
import { openDialog } from "./dialog.js";

/** `name`: the server's, by which it tells what is wrong. `shown`: what the input is part of. */
export function formField(name, label, input, hint, shown = input) {
	const [id, help, problem] = ["field", "hint", "problem"].map((part) => `${part}-${name}`);
	input.id = id;
	input.setAttribute("aria-describedby", `${problem} ${hint ? help : ""}`);
	return h("div.form-field", { "data-field": name },
		h("label", { for: id }, label), shown,
		h("p.form-problem", { id: problem }),
		hint && h("p.quiet", { id: help }, hint));
}

/** `options`: pairs of value and words. */
export function select(options, chosen) {
	return h("select", options.map(([value, words]) =>
		h("option", { value, selected: value === chosen }, words)));
}

/**
 * Asks in a dialog. `send()` does it, and throws what the API throws; then `onDone(answer)`, with the
 * dialog closed.
 */
export function askInDialog({ title, content, button, send, onDone, danger = false }) {
	const problem = h("p.form-problem", { role: "alert" });
	const form = h("form", { novalidate: true },
		h("div.ask-content", { id: "ask-text" }, content), problem,
		h("div.dialog-buttons",
			h("button.button", { type: "button", onclick: () => dialog.close() }, t("dialog.cancel")),
			h(danger ? "button.button.button-danger" : "button.button.button-strong", button)));
	const alert = danger && { role: "alertdialog", "aria-describedby": "ask-text" };
	const dialog = h("dialog.dialog.ask", { "aria-labelledby": "ask-title", ...alert },
		h("h2", { id: "ask-title" }, title), form);
	let busy = false;
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (busy) return;
		busy = true;
		form.setAttribute("aria-busy", "true");
		clearProblems(form, problem);
		try {
			const answer = await send();
			dialog.close();
			onDone(answer);
		} catch (error) {
			showProblems(form, problem, error);
		}
		busy = false;
		form.removeAttribute("aria-busy");
	});
	openDialog(dialog);
}

function clearProblems(form, problem) {
	text(problem, "");
	for (const own of form.querySelectorAll(".form-field > .form-problem")) text(own, "");
	for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Each at the field at fault, which gets the focus; what is of none, below them all. */
function showProblems(form, problem, error) {
	const rest = [];
	for (const { field, issue } of [...(error.issues ?? [])].reverse()) {
		const place = form.querySelector(`[data-field="${CSS.escape(field.split(".")[0])}"]:not([hidden])`);
		if (!place) {
			rest.push(issue);
			continue;
		}
		text(place.querySelector(".form-problem"), issue);
		const input = place.querySelector("input, select");
		input.setAttribute("aria-invalid", "true");
		input.focus();
	}
	const atFields = error.issues?.length > rest.length;
	if (!error.status) text(problem, t("problem.unreachable"));
	else if (rest.length || !atFields) text(problem, error.message);
}
