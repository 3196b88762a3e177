// What all views share: they read a snapshot, then follow the store, and stop when they leave.
import { h, t, text } from "../lib/index.js";
import { onTick, store } from "../data/index.js";

export class View extends HTMLElement {
	#undo = [];
	#loading = null;

	connectedCallback() {
		this.setAttribute("aria-busy", "true");
		this.render();
		this.#undo.push(store.subscribe((events) => (events ? this.update(events) : this.reset())));
		this.#undo.push(onTick(() => this.tick()));
		this.reload();
	}

	disconnectedCallback() {
		for (const undo of this.#undo) undo();
		this.#undo = [];
	}

	/** Build the parts that stay; called once, before the first data. */
	render() {}

	/** Read the snapshot; throws what the API throws. */
	async load() {}

	/** Events have arrived; the store has applied them. */
	update(_events) {}

	/** The store was emptied. */
	reset() {
		this.reload();
	}

	/** A second has passed. */
	tick() {}

	async reload() {
		const mine = (this.#loading = {});
		let failure = null;
		try {
			await this.load();
		} catch (error) {
			failure = error;
		}
		if (mine !== this.#loading || !this.isConnected) return;
		this.problem(failure);
		this.setAttribute("aria-busy", "false");
	}

	problem(error) {
		this.querySelector(":scope > .problem")?.remove();
		if (!error || error.status === 401) return;
		const words = error.status ? error.message : t("problem.unreachable");
		this.append(
			h("div.problem", { role: "alert" },
				h("p", words),
				h("button.button", { type: "button", onclick: () => this.reload() }, t("problem.retry")),
			),
		);
	}
}

/** At most one call each `ms`: the first at once, and a last one for what came meanwhile. */
export function paced(call, ms) {
	let timer = 0;
	let again = false;
	return () => {
		if (timer) {
			again = true;
			return;
		}
		call();
		const rest = () => {
			timer = 0;
			if (!again) return;
			again = false;
			call();
			timer = setTimeout(rest, ms);
		};
		timer = setTimeout(rest, ms);
	};
}

export function heading(title, ...beside) {
	return h("header.heading", h("h1", { tabindex: "-1" }, title), beside);
}

export function section(title, ...content) {
	return h("section.section", h("h2", title), content);
}

/** Labelled values, `update({name: text})` fills them: labels is {name: label}. */
export function figures(labels) {
	const values = {};
	const element = h("dl.figures",
		Object.entries(labels).map(([name, label]) => {
			values[name] = h("dd", "–");
			return h(`div.figure.figure-${name}`, h("dt", label), values[name]);
		}),
	);
	return {
		element,
		update(given) {
			for (const [name, value] of Object.entries(given)) {
				text(values[name], value);
				values[name].toggleAttribute("data-zero", value === "0");
			}
		},
	};
}

/** A cell of a row that is no <td>. */
export function cell(name, ...content) {
	return h(`div.${name}`, { role: "cell" }, content);
}

/** Opens over the page; gone when it is closed, by Escape or a click beside it too. */
export function openDialog(dialog) {
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	dialog.showModal();
}
