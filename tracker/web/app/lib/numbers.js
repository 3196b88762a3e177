// @ts-check
// Numbers as Intl.NumberFormat writes them in en-GB and ru-RU, without it: the first formatter of a page
// takes as long as drawing what it shows at first.

/** What stands between thousands, and before a fraction. */
const MARKS = { en: [",", "."], ru: ["\u00a0", ","] };

/**
 * Rounded to `most` digits after the point, of which those beyond `least` are left out where they are zeros.
 * @param {number} value
 * @param {"en" | "ru"} language
 */
export function decimal(value, language, least, most) {
	const [separator, point] = MARKS[language];
	const [whole, digits = ""] = Number(value).toFixed(most).split(".");
	const zeros = /0*$/.exec(digits.slice(least))?.[0].length ?? 0;
	const fraction = digits.slice(0, digits.length - zeros);
	return whole.replace(/\B(?=(\d{3})+$)/g, separator) + (fraction && point + fraction);
}

/** Which power of a thousand leaves less than a thousand of `count`, rounded to a digit after the point. */
export function thousands(count) {
	let power = 0;
	while (power < 4 && Math.round(count / 10 ** (3 * power - 1)) >= 10_000) power++;
	return power;
}

// Of toFixed.
const MOST = 100;

/** So many digits after the point that `value`, which is less than one, has two that say something. */
export function twoDigits(value) {
	return value ? Math.min(MOST, 1 - Math.floor(Math.log10(value))) : 0;
}
