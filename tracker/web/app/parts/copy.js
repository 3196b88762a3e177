// @ts-check
// A button that copies and says so.
import { fill, h, icon, t } from "../lib/index.js";

// As in tracker/text.py.
const UNSEEN = /(?:[\p{DI}\p{Bidi_C}\p{Cs}\p{Zl}\p{Zp}\ufff9-\ufffb\u{13430}-\u{1343f}]|[^\P{Cc}\n\t])+/gu;

/** `getText()` may have to ask the server first. */
export function copyButton(label, getText, style = "") {
	const words = h("span", label);
	const button = h(`button.button.copy${style}`, { type: "button", title: label }, icon("copy"), words);
	let timer = 0;
	button.addEventListener("click", async () => {
		const done = await Promise.resolve(getText()).then(copyText).catch(() => false);
		clearTimeout(timer);
		button.setAttribute("data-said", "");
		fill(words, done ? t("copy.done") : t("copy.failed"));
		timer = setTimeout(() => {
			button.removeAttribute("data-said");
			fill(words, label);
		}, 4000);
	});
	return h("span.copy-holder", { role: "status" }, button);
}

/** What nobody sees becomes escapes, which JSON reads back. */
function visible(text) {
	return text.replace(/\r\n/g, "\n").replace(UNSEEN, (run, at, whole) => {
		const [kept] = (at && /\S/.test(whole[at - 1]) && /^[\ufe0e\ufe0f]?[\u200c\u200d]?/.exec(run)) || [""];
		return kept + run.slice(kept.length).replace(/[^]/g, (c) =>
			`\\u${c.charCodeAt().toString(16).padStart(4, "0")}`);
	});
}

/** What is on the clipboard then is what one sees; false where the browser does not allow it. */
export function copyText(text) {
	return copy(visible(text));
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

/** Code with its copy button. `shown` may hide what `copied` holds. */
export function snippet(shown, copied = shown) {
	return h("div.snippet",
		h("pre", { tabindex: "0" }, h("code", shown)),
		copyButton(t("copy.copy"), () => copied),
	);
}
