// @ts-check
// A word on what one has just done, that goes by itself.
import { h, text } from "../lib/index.js";

const SHOWN_MS = 4000;
const element = h("p.notice", { role: "status" });
let timer = 0;

export function notice(words) {
	document.body.append(element);
	text(element, "");
	clearTimeout(timer);
	// Changed, not inserted: that is what screen readers tell.
	requestAnimationFrame(() => text(element, words));
	timer = setTimeout(() => element.remove(), SHOWN_MS);
}
