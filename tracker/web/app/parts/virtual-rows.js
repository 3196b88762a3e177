// @ts-check
// Rows of any heights, of which those in sight are in the page, in a frame that scrolls by itself.
// At its end it follows what is added; anywhere else, or while text in it is selected, what is in
// sight stays where it is, whatever is added before or after.
import { defaultRangeExtractor, elementScroll, measureElement, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { fill, h } from "../lib/index.js";

const ESTIMATED = 30; // pixels a row
const OVERSCAN = 10;
const NEAR_END = 24; // pixels
// What is drawn shows how high it is, and by that what else is to be drawn.
const MOST_TIMES = 20;
// Rows that are kept for the sake of a selection.
const MOST_SELECTED = 1000;

export class VirtualRows {
	#keys = [];
	#places = new Map();
	#make;
	#onMove;
	/** @type {Map<string | number, HTMLElement>} */
	#rows = new Map();
	#space = h("div.rows-space", { role: "presentation" });
	#offset = 0;
	#height = 0;
	/** @type {any} The key of the row at the top when it was hidden. */
	#left = null;
	#isFollowing = true;
	#isHidden = false;
	#isDrawing = false;
	#again = false;
	#virtualizer;

	/** @param {(index: number) => HTMLElement} make @param {() => void} onMove Scrolled, or drawn. */
	constructor(label, make, onMove) {
		this.#make = make;
		this.#onMove = onMove;
		this.element = h("div.rows", { role: "list", tabindex: "0", "aria-label": label, "data-keeps-place": "" }, this.#space);
		this.#virtualizer = new Virtualizer(this.#options());
	}

	/** Once it is in the page. */
	start() {
		// Before the virtualizer, which draws: whether it is followed is known by then.
		this.element.addEventListener("scroll", () => this.#moved(), { passive: true });
		this.#virtualizer._didMount();
		this.#virtualizer._willUpdate();
		new ResizeObserver(() => this.restore()).observe(this.element);
	}

	/** It is about to be hidden: that it then stands at its beginning is not its reader's doing. */
	hide() {
		if (!this.#isHidden) this.#left = this.place;
		this.#isHidden = true;
	}

	/** What was hidden has lost where it was. */
	restore() {
		this.#isHidden = !this.element.clientHeight;
		if (this.#isHidden) return;
		this.#scrollTo(this.#isFollowing ? this.element.scrollHeight : this.#offset);
		this.#draw();
		const left = this.#places.get(this.#left);
		this.#left = null;
		if (left !== undefined) this.to(left, "start");
	}

	get atEnd() {
		return this.#isFollowing;
	}

	/** How many rows are above those in sight; null: none is in sight, or it is on its way to the end. */
	get above() {
		const { clientHeight } = this.element;
		if (!clientHeight || (this.#isFollowing && this.#virtualizer.getTotalSize() > clientHeight)) return null;
		return this.#virtualizer.range?.startIndex ?? null;
	}

	setKeys(keys) {
		this.#keys = keys;
		this.#places = new Map(keys.map((key, index) => [key, index]));
		if (this.#selected()) this.#isFollowing = false;
		this.#virtualizer.setOptions(this.#options());
		this.#draw(); // before it scrolls: to where there would be nothing yet
		this.#virtualizer._willUpdate();
	}

	/** Make those in sight anew. */
	refresh() {
		this.#rows.clear();
		this.#draw();
	}

	toEnd() {
		this.#isFollowing = true;
		this.#draw();
	}

	/** @param {number} index @param {"center" | "start"} align */
	to(index, align = "center") {
		this.#isFollowing = false;
		this.#virtualizer.scrollToIndex(index, { align });
	}

	/** The key of the row at the top; null: the end is followed. */
	get place() {
		return this.#isFollowing ? null : (this.#virtualizer.getVirtualItemForOffset(this.#offset)?.key ?? null);
	}

	#options() {
		return {
			count: this.#keys.length,
			getItemKey: (index) => this.#keys[index],
			getScrollElement: () => this.element,
			estimateSize: () => ESTIMATED,
			overscan: OVERSCAN,
			rangeExtractor: (range) => this.#inPage(range),
			anchorTo: /** @type {const} */ ("end"),
			observeElementRect, observeElementOffset,
			scrollToFn: elementScroll,
			// What is hidden has no height: it keeps the one it had.
			measureElement: (row, entry, virtualizer) => (row.offsetHeight
				? measureElement(row, entry, virtualizer)
				: (virtualizer.itemSizeCache.get(/** @type {any} */ (row).key) ?? ESTIMATED)),
			onChange: () => this.#draw(),
		};
	}

	/** All hear of it at once, before anything else is drawn. */
	#scrollTo(offset) {
		const before = this.element.scrollTop;
		this.element.scrollTop = offset;
		if (this.element.scrollTop !== before) this.element.dispatchEvent(new Event("scroll"));
	}

	#moved() {
		if (this.#isHidden) return;
		const { scrollTop, scrollHeight, clientHeight } = this.element;
		// What grows moves the end away; only a reader goes up while nothing grows.
		if (scrollHeight - clientHeight - scrollTop <= NEAR_END) this.#isFollowing = true;
		else if (scrollTop < this.#offset && scrollHeight === this.#height) this.#isFollowing = false;
		this.#offset = scrollTop;
		this.#height = scrollHeight;
		this.#onMove();
	}

	/** The places of the rows between which text is selected, in order; null: none is. */
	#selected() {
		const selection = getSelection();
		if (!selection || selection.isCollapsed) return null;
		const places = [selection.anchorNode, selection.focusNode].map((node) => this.#placeOf(node));
		const known = places.filter((place) => place !== undefined);
		return known.length ? [Math.min(...known), Math.max(...known)] : null;
	}

	#placeOf(node) {
		if (!this.#space.contains(node)) return undefined;
		let row = node;
		while (row && row.parentNode !== this.#space) row = row.parentNode;
		return row ? this.#places.get(row.key) : undefined;
	}

	#inPage(range) {
		const inSight = defaultRangeExtractor(range);
		const selected = this.#selected();
		if (!selected) return inSight;
		const [from, to] = selected;
		const kept = to - from < MOST_SELECTED ? Array.from({ length: to - from + 1 }, (_, at) => from + at) : selected;
		return [...new Set([...inSight, ...kept])].sort((a, b) => a - b);
	}

	#draw() {
		this.#again = true;
		if (this.#isDrawing || !this.element.isConnected) return;
		this.#isDrawing = true;
		for (let times = 0; this.#again && times < MOST_TIMES; times++) {
			this.#again = false;
			this.#drawOnce();
			// What was measured may have made it longer.
			if (this.#isFollowing) this.#scrollTo(this.element.scrollHeight);
		}
		this.#isDrawing = false;
		this.#height = this.element.scrollHeight;
		this.#onMove();
	}

	#drawOnce() {
		const items = this.#virtualizer.getVirtualItems();
		const rows = new Map();
		const made = [];
		for (const { index, key, start } of items) {
			/** @type {any} */
			let row = this.#rows.get(/** @type {any} */ (key));
			if (!row) made.push(row = Object.assign(this.#make(index), { key }));
			row.dataset.index = String(index);
			row.setAttribute("aria-setsize", String(this.#keys.length));
			row.setAttribute("aria-posinset", String(index + 1));
			row.style.transform = `translateY(${start}px)`;
			rows.set(key, row);
		}
		this.#rows = rows;
		this.#space.style.height = `${this.#virtualizer.getTotalSize()}px`;
		fill(this.#space, [...rows.values()]);
		for (const row of made) this.#virtualizer.measureElement(row);
		this.#virtualizer.measureElement(null);
	}
}
