// @ts-check
// <names-field>: any number of names in one field. What was typed becomes a name by Enter, what is
// suggested when it is chosen; commas part several, unless all of it is a name that is known. Not when
// the field is left: the button that is clicked would move away from under the pointer.
import { fill, h, isolate, t } from "../lib/index.js";

class NamesField extends HTMLElement {
	input = h("input", { type: "text", list: "names-known", autocomplete: "off", maxlength: 2000 });
	#names = new Set();
	#known = new Set();
	#list = h("ul.names", { "aria-live": "polite", hidden: true });
	#suggestions = h("datalist", { id: "names-known" });

	connectedCallback() {
		if (this.firstChild) return;
		this.append(this.#list, this.input, this.#suggestions);
		this.input.addEventListener("input", ({ inputType: how }) => {
			const chosen = !how || how === "insertReplacementText";
			if (chosen && this.#known.has(this.input.value)) this.#take();
		});
		this.input.addEventListener("keydown", (event) => {
			if (event.key !== "Enter" || !this.input.value.trim()) return;
			event.preventDefault();
			this.#take();
		});
	}

	set known(names) {
		this.#known = new Set(names);
		fill(this.#suggestions, names.map((name) => h("option", { value: name })));
	}

	/** All of them, with what has just been typed. */
	get names() {
		this.#take();
		return [...this.#names];
	}

	#take() {
		const { value } = this.input;
		const names = this.#known.has(value) ? [value] : value.split(",").map((name) => name.trim());
		for (const name of names) if (name) this.#names.add(name);
		this.input.value = "";
		this.#show();
	}

	#show() {
		this.#list.hidden = !this.#names.size;
		fill(this.#list, [...this.#names].map((name) => {
			const remove = () => {
				this.#names.delete(name);
				this.#show();
				this.input.focus();
			};
			return h("li.name", isolate(name),
				h("button", { type: "button", "aria-label": t("names.remove", { name }), onclick: remove }, "×"));
		}));
	}
}

customElements.define("names-field", NamesField);
