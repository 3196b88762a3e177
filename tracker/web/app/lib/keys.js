// @ts-check
// The keyboard: "/" "?" "j" "k" "[" "]" and "g" with a letter. Never while the user types, never with
// modifiers, which belong to the browser; but Ctrl or Cmd with "k" is "/" wherever one is.
import { go, paths } from "./router.js";

const PLACES = { n: "now", t: "tasks", i: "insights", p: "projects", s: "insights", e: "events", o: "settings" };
const SECOND_KEY_WITHIN = 1200;

export function listen({ search, help, failure }) {
	let goPressed = 0;
	document.addEventListener("keydown", (event) => {
		if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
		const key = latin(event);
		if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.code === "KeyK") {
			event.preventDefault();
			return search();
		}
		if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
		if (event.timeStamp - goPressed < SECOND_KEY_WITHIN && key in PLACES) go(paths[PLACES[key]]());
		else if (key === "/") search();
		else if (key === "?") help();
		else if (key === "[" || key === "]") failure(key === "]" ? 1 : -1);
		else if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
		else if (key !== "g") return;
		event.preventDefault();
		goPressed = key === "g" ? event.timeStamp : -Infinity;
	});
}

/**
 * The key as Latin layouts name it. A layout that has Latin letters has them where it says; of any
 * other the place of the key counts, so that Russian has them, too.
 */
export function latin({ key, code, shiftKey }) {
	if (code.startsWith("Bracket") && key > "\x7f") return code === "BracketLeft" ? "[" : "]";
	if (code === "Slash" && (key === "." || key === ",")) return key === "." ? "/" : "?"; // in Russian
	const letter = /^Key([A-Z])$/.exec(code)?.[1];
	return letter && !shiftKey && key > "\x7f" && key.length === 1 ? letter.toLowerCase() : key;
}

export function isTyping(element) {
	return element.matches?.("input:not([type=radio],[type=checkbox]), textarea, select, [contenteditable]");
}

/** The focus goes from row to row; Enter then follows the link as ever. */
function move(step) {
	/** @type {any[]} */
	const all = [...document.querySelectorAll("main a[data-row][href]")];
	const rows = all.filter((row) => row.checkVisibility());
	const focused = rows.indexOf(document.activeElement);
	// From the panel: from the row that it shows.
	const at = focused < 0 ? rows.findIndex((row) => row.ariaCurrent === "true") : focused;
	const next = rows[at < 0 ? 0 : at + step];
	next?.focus();
	next?.scrollIntoView({ block: "nearest" });
}
