// A button that copies text and says so.
import { fill, h, icon, t } from "../lib/index.js";

export function copyButton(label, getText, style = "") {
	const words = h("span", label);
	const button = h(`button.button.copy${style}`, { type: "button" }, icon("copy"), words);
	let timer = 0;
	button.addEventListener("click", async () => {
		const done = await copy(getText());
		clearTimeout(timer);
		fill(words, done ? t("copy.done") : t("copy.failed"));
		timer = setTimeout(() => fill(words, label), 1600);
	});
	return h("span.copy-holder", { role: "status" }, button);
}

/** The clipboard's API is there on https and localhost only; elsewhere the old way has to do. */
async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		const area = h("textarea.sr-only", { "aria-hidden": "true" });
		area.value = text;
		document.body.append(area);
		area.select();
		const done = document.execCommand("copy");
		area.remove();
		return done;
	}
}

/** Code with its copy button. `shown` may hide in part what `copied` holds. */
export function snippet(shown, copied = shown) {
	return h("div.snippet",
		h("pre", { tabindex: "0" }, h("code", shown)),
		copyButton(t("copy.copy"), () => copied),
	);
}
