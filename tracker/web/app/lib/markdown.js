// @ts-check
// What stands in a text as Markdown, as a tree (mdast). The parser comes when it is first needed.
// Nobody waits for a text that is long, or made to take long: it stays as it is.

/** Characters beyond which a text is parsed only if somebody asks for it. */
export const MOST = 100_000;

const MARKS = /[*_`#|~<&\\[\]]|^\s*(?:>|[-+]\s|\d+[.)]\s|={3}|-{3})|https?:|www\.|\S@\S|\n\s*\n/m;
// The parser's time grows with the square of how many marks a block has, and of how many lines open one.
const INLINE = /[*_~`<[\]]/g;
const OPENING = /^[ \t]*(?:>|=|[-+*][ \t]|\d{1,9}[.)][ \t]|\[[^\]\n]*\]:)/gm;
const COST_OF_OPENING = 4;
const MOST_COST = 4e6; // about 0.1 s
const TOO_DEEP = /^(?:[ \t]*(?:>|[-+*][ \t]|\d{1,9}[.)][ \t])){50}/m;

/** Whether it would look the same as plain text. */
export function isPlain(text) {
	return !MARKS.test(text);
}

/** Whether its marks are so many, or so deep, that no person can have meant them. */
export function isStrange(text) {
	const ofInline = text.split(/\n[ \t]*\n/).reduce((cost, block) => cost + count(block, INLINE) ** 2, 0);
	return ofInline + COST_OF_OPENING * count(text, OPENING) ** 2 > MOST_COST || TOO_DEEP.test(text);
}

function count(text, pattern) {
	return text.match(pattern)?.length ?? 0;
}

/** @type {Promise<(text: string) => any> | null} */
let loading = null;
/** @type {((text: string) => any) | null} */
let loaded = null;

/** The parser if it is here already: what is shown at once does not change its height. */
export function parserNow() {
	return loaded;
}

export function parser() {
	loading ??= import("./markdown-parser.js").then(({ parse }) => (loaded = parse));
	// Without it texts stay as they are; the next one tries again.
	loading.catch(() => (loading = null));
	return loading;
}

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** The address that a link may lead to, in full and in ASCII; null: none that is safe. */
export function safeLink(address) {
	if (typeof address !== "string" || address.length > 4096) return null;
	try {
		const url = new URL(address);
		return SCHEMES.has(url.protocol) ? url.href : null;
	} catch {
		return null; // a path says nothing without the page that it belongs to
	}
}
