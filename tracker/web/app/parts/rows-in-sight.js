// @ts-check
// Rows with `content-visibility: auto`, of which those in sight are drawn at once. The others are drawn
// when they come into it, or else when the page has time, so that the browser's own search finds them.
import { fill, throttle } from "../lib/index.js";

// A browser that does not tell which are in sight has all of them drawn at once.
const CAN_TELL = "ContentVisibilityAutoStateChangeEvent" in globalThis;
// Nobody reads words that change more often.
const WORDS_EVERY = 800;
// Out of sight.
const REST_EVERY = 10_000;

/** A row; `drawn`: the item that it shows, if any. @typedef {{element: HTMLElement, item: any, drawn: any, isInSight: boolean}} Row */

export class RowsInSight {
	/** @type {Map<string, Row>} */
	#rows = new Map();
	/** @type {WeakMap<EventTarget, Row>} */
	#rowOf = new WeakMap();
	#container;
	#make;
	#draw;
	#isResting = false;
	/** The timer, before the rest is begun. @type {any} */
	#restLater = 0;
	#drawSoon = throttle(() => this.#drawInSight(), WORDS_EVERY);

	/**
	 * @param {HTMLElement} container
	 * @param {(item: any) => HTMLElement} make An element that builds what is in it when it is drawn.
	 * @param {(element: any, item: any) => void} draw By the item alone: one with the same properties is not drawn again.
	 */
	constructor(container, make, draw) {
		this.#container = container;
		this.#make = make;
		this.#draw = draw;
		container.addEventListener("contentvisibilityautostatechange", (event) => {
			const row = event.target && this.#rowOf.get(event.target);
			if (!row) return;
			this.#see(row, !(/** @type {any} */ (event).skipped));
			if (row.isInSight) this.#drawRow(row);
		});
	}

	/**
	 * All of them, in this order.
	 * @param {any[]} items
	 * @param {(item: any) => string} keyOf
	 * @param {number} room How many new ones are drawn at once: where they are is not known yet.
	 */
	show(items, keyOf, room) {
		/** @type {Map<string, Row>} */
		const next = new Map();
		let isNew = false;
		for (const item of items) {
			const key = keyOf(item);
			const row = this.#rows.get(key) ?? this.#newRow(item);
			row.item = item;
			if (row.isInSight || (!row.drawn && room-- > 0)) this.#drawRow(row);
			isNew ||= !row.drawn;
			next.set(key, row);
		}
		this.#rows = next;
		fill(this.#container, [...next.values()].map(({ element }) => element));
		this.#restSoon(isNew);
	}

	/** What one of them says has changed, not where it stands: in sight within a second. */
	change(key, change) {
		const row = this.#rows.get(key);
		if (!row) return;
		row.item = change(row.item);
		this.#drawSoon();
		this.#restSoon(false);
	}

	#newRow(item) {
		const element = this.#make(item);
		const row = { element, item, drawn: null, isInSight: false };
		this.#rowOf.set(element, row);
		this.#see(row, !CAN_TELL);
		return row;
	}

	/** Times in what is out of sight need not go on. */
	#see(row, isInSight) {
		row.isInSight = isInSight;
		row.element.toggleAttribute("data-unseen", !isInSight);
	}

	#drawInSight() {
		for (const row of this.#rows.values()) if (row.isInSight) this.#drawRow(row);
	}

	#drawRow(row) {
		if (isAlike(row.drawn, row.item)) return;
		this.#draw(row.element, row.item);
		row.drawn = row.item;
	}

	/** `isNew`: some of it was never drawn, and the page's own search does not find it. */
	#restSoon(isNew) {
		if (this.#isResting && !(isNew && this.#restLater)) return;
		clearTimeout(this.#restLater);
		this.#isResting = true;
		this.#restLater = setTimeout(() => this.#drawRest(), isNew ? 0 : REST_EVERY);
	}

	#drawRest() {
		this.#restLater = 0;
		const rest = [...this.#rows.values()].filter(({ drawn, item }) => !isAlike(drawn, item));
		whenIdle((deadline) => {
			while (rest.length && deadline.timeRemaining() > 1) this.#drawRow(/** @type {Row} */ (rest.shift()));
			// Those that have come meanwhile; what others say anew waits for the next time.
			if (!rest.length) rest.push(...[...this.#rows.values()].filter(({ drawn }) => !drawn));
			this.#isResting = rest.length > 0 && this.#container.isConnected;
			return this.#isResting;
		});
	}
}

function isAlike(a, b) {
	return a !== null && Object.keys(b).every((name) => a[name] === b[name]);
}

// Safari has none.
const ask = globalThis.requestIdleCallback ?? ((run) => setTimeout(() => {
	const end = performance.now() + 5;
	run({ didTimeout: false, timeRemaining: () => end - performance.now() });
}, 20));

/** Again and again, until it returns false. */
function whenIdle(work) {
	ask((deadline) => work(deadline) && whenIdle(work));
}
