// @ts-check
// Text of which a few lines are shown, and all of it once somebody asks.
import { h, t, text } from "../lib/index.js";

/**
 * `content` cut by the style sheet, with a button beside it where there is more of it.
 * @param {HTMLElement} content
 * @param {{byClick?: boolean}} [options] `byClick`: a click on the text opens it as well.
 */
export function clamped(content, { byClick = false } = {}) {
	const button = h("button.more-button", { type: "button", hidden: true });
	const show = (isOpen) => {
		content.classList.toggle("is-open", isOpen);
		button.setAttribute("aria-expanded", String(isOpen));
		text(button, t(isOpen ? "task.less" : "task.more"));
		measure();
	};
	const isOpen = () => content.classList.contains("is-open");
	const measure = () => (button.hidden = !isOpen() && content.scrollHeight <= content.clientHeight + 1);
	button.addEventListener("click", () => show(!isOpen()));
	if (byClick) content.addEventListener("click", () => getSelection()?.isCollapsed && !button.hidden && show(!isOpen()));
	content.classList.add("clamped");
	new ResizeObserver(measure).observe(content);
	new MutationObserver(measure).observe(content, { childList: true, characterData: true, subtree: true });
	show(false);
	return h("div", content, button);
}
