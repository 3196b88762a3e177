// @ts-check
// Where one is in a view: how far what is scrolled, and on which link. It is kept with the entry in
// the history, so that going back leads to where one was. Views fill up only after they have read:
// until then, or until the user does something, this goes on trying. The link stands where it stood, even
// if what is above it is not as high as it was: rows have come, or are not drawn yet.
import { remember, remembered } from "./router.js";
import { throttle } from "./throttle.js";

const TRY_MS = 5000;
const NOTED_EVERY = 300;

const scrolled = new Set();
let tryUntil = 0;

/** @param {Element} element Its name and its number among those of that name. */
function addressOf(element) {
	return [element.localName, [...document.getElementsByTagName(element.localName)].indexOf(element)];
}

function focused() {
	const { activeElement } = document;
	if (activeElement?.closest("main")) return activeElement.getAttribute("href");
	// Beside a list: the row that is shown there.
	return /** @type {HTMLElement | undefined} */ (activeElement?.closest(".side-panel"))?.dataset.of ?? null;
}

/** Note where one is, before one leaves. */
export function keepPlace() {
	if (performance.now() < tryUntil) return;
	const scrolls = [...scrolled].filter((element) => element.isConnected)
		.map((element) => [...addressOf(element), element.scrollLeft, element.scrollTop]);
	const focus = focused();
	remember({ place: { scrolls, focus, top: linkTo(focus)?.getBoundingClientRect().top } });
}

/** @returns {HTMLElement | null} */
function linkTo(focus) {
	return focus && document.querySelector(`main a[href="${CSS.escape(focus)}"]`);
}

const keepSoon = throttle(keepPlace, NOTED_EVERY);

export function followPlace() {
	const note = ({ target }) => {
		if (target.dataset?.keepsPlace !== undefined) return; // by what it shows, not by pixels
		scrolled.add(target === document ? document.documentElement : target);
		keepSoon();
	};
	document.addEventListener("scroll", note, { capture: true, passive: true });
	for (const act of ["wheel", "keydown", "pointerdown", "touchstart"]) {
		document.addEventListener(act, () => (tryUntil = 0), { capture: true, passive: true });
	}
}

/** Go to where one was when the view of this address was left, if it was. */
export function findPlace() {
	scrolled.clear();
	const { scrolls = [], focus = null, top: height = null } = remembered("place") ?? {};
	tryUntil = performance.now() + TRY_MS;
	const step = () => {
		if (performance.now() >= tryUntil) return;
		const link = linkTo(focus);
		const isThere = scrolls.map(([name, index, left, top]) => {
			const element = document.getElementsByTagName(name)[index];
			if (height !== null && link && element?.contains(link)) {
				const away = link.getBoundingClientRect().top - height;
				if (Math.abs(away) > 1) element.scrollBy({ top: away, behavior: "instant" });
				return Math.abs(away) <= 1;
			}
			element?.scrollTo({ left, top, behavior: "instant" });
			return element && Math.abs(element.scrollTop - top) <= 1 && Math.abs(element.scrollLeft - left) <= 1;
		});
		link?.focus({ preventScroll: true });
		if (isThere.every(Boolean) && (!focus || link)) tryUntil = 0;
		else requestAnimationFrame(step);
	};
	step();
}
