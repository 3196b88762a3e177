// @ts-check
// Bars by day, in parts one above the other, with axes. The legend says how much each part is: on all
// days, or on the one that is pointed at. It is for eyes and pointers; its owner has the same as text.
import { fill, h, keyed, text, ticksTo, utcDay } from "../lib/index.js";

// Of days that have their date below the bar; fewer where there is no room: style/insights.css.
const DATES = 6;

/** @typedef {{date: string, href: string | null, values: Record<string, number>}} Bar Values by part. */

export class DayChart {
	#bars = h("div.day-bars");
	#ticks = h("div.day-ticks");
	#dates = h("div.day-dates");
	#of = h("span.day-of");
	#amounts;
	#keys;
	#all = "";
	#format;
	#isWhole;
	/** @type {Bar[]} */
	#days = [];
	#pointed = "";
	#show = keyed(this.#bars, ({ date }) => h("a.day-bar", { tabindex: -1, "data-date": date },
		Object.keys(this.#amounts).map((name) => h(`span.day-part.tone-${name}`))), (bar, day) => this.#draw(bar, day));
	#top = 1;

	/**
	 * @param {Record<string, string>} parts What each is called, by its name, from below.
	 * @param {(value: number) => string} format
	 * @param {boolean} [isWhole] Whether what is counted has no parts.
	 */
	constructor(parts, format, isWhole = false) {
		this.#format = format;
		this.#isWhole = isWhole;
		this.#amounts = Object.fromEntries(Object.keys(parts).map((name) => [name, h("strong")]));
		this.#keys = Object.entries(parts).map(([name, label]) =>
			h("span.day-key", h(`span.day-swatch.tone-${name}`), label, " ", this.#amounts[name]));
		this.#bars.addEventListener("pointerover", (event) =>
			this.#point(/** @type {Element} */ (event.target).closest(".day-bar")?.getAttribute("data-date") ?? ""));
		this.#bars.addEventListener("pointerleave", () => this.#point(""));
		this.element = h("figure.day-chart", { "aria-hidden": "true" },
			h("figcaption.day-legend", this.#of, this.#keys),
			h("div.day-plot", this.#ticks, this.#bars), this.#dates);
	}

	/**
	 * @param {Bar[]} days Oldest first.
	 * @param {string} all What they are together.
	 */
	update(days, all) {
		this.#all = all;
		this.#days = days;
		const most = Math.max(0, ...days.map(({ values }) => sum(Object.values(values))));
		const ticks = ticksTo(most, this.#isWhole);
		this.#top = ticks[ticks.length - 1];
		fill(this.#ticks, ticks.map((value) => placed("div.day-tick", "bottom", value / this.#top, this.#format(value))));
		this.#show(days, ({ date }) => date);
		const every = Math.ceil(days.length / DATES);
		fill(this.#dates, days.map(({ date }, index) => (days.length - 1 - index) % every === 0 &&
			placed("span.day-date", "left", (index + 0.5) / days.length, utcDay(date))));
		Object.keys(this.#amounts).forEach((name, index) => {
			this.#keys[index].hidden = most > 0 && !days.some(({ values }) => values[name]);
		});
		this.#point(this.#pointed);
	}

	#draw(bar, { href, values }) {
		if (href) bar.setAttribute("href", href);
		else bar.removeAttribute("href");
		Object.keys(this.#amounts).forEach((name, index) => {
			bar.children[index].style.height = `${(values[name] / this.#top) * 100}%`;
			bar.children[index].hidden = !values[name];
		});
	}

	#point(date) {
		const one = this.#days.find((day) => day.date === date);
		this.#pointed = one ? date : "";
		text(this.#of, one ? utcDay(date) : this.#all);
		for (const [name, amount] of Object.entries(this.#amounts)) {
			text(amount, this.#format(sum((one ? [one] : this.#days).map(({ values }) => values[name]))));
		}
	}
}

function placed(tag, side, share, words) {
	const element = h(tag, h("span", words));
	element.style[side] = `${share * 100}%`;
	return element;
}

/** @param {number[]} values */
function sum(values) {
	return values.reduce((all, one) => all + one, 0);
}
