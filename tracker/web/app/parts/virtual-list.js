// @ts-check
// <virtual-list>: any number of rows of one height, of which only those in sight are in the page.
//
//   list.rowHeight = 40; list.makeRow = () => element; list.showRow = (element, index) => {…}
//   list.count = 100000; list.onrange = (first, last) => {…}
import { h } from "../lib/index.js";

const OVERSCAN = 8;

class VirtualList extends HTMLElement {
	makeRow = () => h("div");
	showRow = (_row, _index) => {};
	onrange = (_first, _last) => {};
	#rowHeight = 40;
	#count = 0;
	#rows = new Map();
	#spare = [];
	#space = h("div.virtual-space", { role: "presentation" });
	#observer = new ResizeObserver(() => this.refresh());
	#scheduled = false;

	connectedCallback() {
		if (!this.#space.isConnected) this.append(this.#space);
		this.#observer.observe(this);
		this.addEventListener("scroll", () => this.#later(), { passive: true });
		this.refresh();
	}

	disconnectedCallback() {
		this.#observer.disconnect();
	}

	get rowHeight() {
		return this.#rowHeight;
	}

	/** What is at the top stays there. */
	set rowHeight(height) {
		const first = this.scrollTop / this.#rowHeight;
		this.#rowHeight = height;
		for (const [index, row] of this.#rows) this.#place(row, index);
		this.refresh();
		this.scrollTo({ top: first * height, behavior: "instant" });
	}

	get count() {
		return this.#count;
	}

	set count(count) {
		this.#count = count;
		this.refresh();
	}

	get atTop() {
		return this.scrollTop < this.rowHeight;
	}

	/** Scroll only as far as it takes to have this row in sight. */
	reveal(index) {
		const first = index * this.rowHeight;
		const room = this.clientHeight - this.rowHeight;
		const at = this.scrollTop;
		if (first < at || first > at + room) this.scrollTo({ top: first - room / 2, behavior: "instant" });
		this.refresh();
	}

	#later() {
		if (this.#scheduled) return;
		this.#scheduled = true;
		requestAnimationFrame(() => {
			this.#scheduled = false;
			this.refresh();
		});
	}

	/** Show what is in sight now; rows keep their elements, and thereby the focus. */
	refresh() {
		if (!this.isConnected) return;
		const { scrollTop, clientHeight } = this; // before anything is written, or all would be laid out for it
		this.#space.style.height = `${this.#count * this.rowHeight}px`;
		const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - OVERSCAN);
		const inSight = Math.ceil(clientHeight / this.rowHeight);
		const last = Math.min(this.#count, first + inSight + 2 * OVERSCAN);
		for (const [index, row] of this.#rows) {
			if (index >= first && index < last) continue;
			this.#rows.delete(index);
			row.remove();
			this.#spare.push(row);
		}
		for (let index = first; index < last; index++) {
			let row = this.#rows.get(index);
			if (!row) {
				row = this.#spare.pop() ?? this.makeRow();
				this.#place(row, index);
				row.setAttribute("aria-rowindex", index + 2); // the header is the first
				this.#rows.set(index, row);
				this.#insert(row, index);
			}
			this.showRow(row, index);
		}
		this.onrange(first, last);
	}

	#place(row, index) {
		row.style.transform = `translateY(${index * this.#rowHeight}px)`;
	}

	/** In the page's order too, for the keyboard and for screen readers. */
	#insert(row, index) {
		for (let next = index + 1; next <= index + 3 * OVERSCAN; next++) {
			const after = this.#rows.get(next);
			if (after) return this.#space.insertBefore(row, after);
		}
		this.#space.append(row);
	}
}

customElements.define("virtual-list", VirtualList);
