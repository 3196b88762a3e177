// @ts-check
// The parser of Markdown as GitHub has it: loaded by lib/markdown.js when it is first needed.
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";

const options = { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] };

/** @param {string} text */
export function parse(text) {
	return fromMarkdown(text, options);
}
