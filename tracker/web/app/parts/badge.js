// @ts-check
// How many things need a person, on the page's icon in its tab. An icon for each number is built with
// the page: one that is drawn here would need images from `data:`, which its policy does not allow.

const LAST = 9;

/** @param {number} count */
export function showBadge(count) {
	const link = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]"));
	const name = count > LAST ? "icon-more" : count ? `icon-of-${count}` : "icon";
	const href = /** @type {string} */ (link.getAttribute("href")).replace(/[^/]+$/, `${name}.svg`);
	if (link.getAttribute("href") !== href) link.setAttribute("href", href);
}
