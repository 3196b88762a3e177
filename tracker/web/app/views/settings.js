// @ts-check
// Settings: of this page, and of the server it shows; code that connects an agent.
import { bytes, h, language, LANGUAGES, number, pref, setPref, t } from "../lib/index.js";
import { api } from "../data/index.js";
import { curl, heading, javascript, python, section, snippet, View } from "../parts/index.js";

const THEMES = ["system", "light", "dark"];

class SettingsView extends View {
	#server = section(t("settings.server"));
	#connect = section(t("settings.connect"));

	render() {
		this.append(
			heading(t("nav.settings")),
			h("div.settings-columns",
				h("div", section(t("settings.page"),
					choice("theme", t("settings.theme"), Object.fromEntries(THEMES.map((n) => [n, t(`theme.${n}`)])), pref("theme", "system")),
					choice("language", t("settings.language"), LANGUAGES, language()),
					notifications(), signOutEverywhere()), this.#server),
				this.#connect),
		);
	}

	async load() {
		const info = await api.info();
		const limit = (n, words = number) => (n ? words(n) : t("settings.noLimit"));
		const facts = {
			address: h("code", location.origin),
			...(info.exposed ? { warning: t("settings.exposed") } : {}),
			version: info.version,
			database: h("code", info.database),
			key: info.api_key_file ? h("code", info.api_key_file) : t("settings.keyGiven"),
			durability: t(`settings.durability.${info.durability}`),
			webhooks: limit(info.limits.webhooks_per_minute),
			requests: limit(info.limits.api_requests_per_minute),
			sockets: limit(info.limits.websockets_per_project),
			body: bytes(info.limits.body_bytes),
			trace: bytes(info.limits.stack_trace_bytes),
			keptDays: limit(info.limits.retain_days),
			keptBytes: limit(info.limits.retain_bytes, bytes),
		};
		this.#server.replaceChildren(this.#server.firstChild,
			h("dl.pairs", Object.entries(facts).map(([name, value]) =>
				h("div", h("dt", t(`settings.fact.${name}`)), h("dd", value)))),
			h("a", { href: "/docs", "data-outside": "" }, t("settings.docs")));
		const examples = { curl: curl(info), Python: python(info), JavaScript: javascript() };
		this.#connect.replaceChildren(this.#connect.firstChild,
			h("p.quiet", t("settings.connectText")),
			...Object.entries(examples).flatMap(([name, { shown, copied }]) =>
				[h("h3", name), snippet(shown, copied)]));
	}
}

function choice(name, label, options, chosen) {
	return h("fieldset.choice", h("legend", label),
		Object.entries(options).map(([value, words]) =>
			h("label",
				h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => setPref(name, value) }),
				h("span", words))));
}

function notifications() {
	const state = h("span.quiet");
	const box = h("input", { type: "checkbox", checked: pref("notify") === "on" });
	box.addEventListener("change", async () => {
		if (box.checked && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) {
			box.checked = false;
			state.textContent = t("settings.notifyDenied");
		}
		setPref("notify", box.checked ? "on" : "off");
	});
	return h("label.check", box, h("span", t("settings.notify")), state);
}

function signOutEverywhere() {
	const problem = h("span.quiet", { role: "alert" });
	const signOut = () => api.signOut({ all: 1 }).then(() => setPref("out", Date.now()),
		(error) => { problem.textContent = error.message; });
	return h("p", h("button.button", { type: "button", onclick: signOut }, t("settings.signOutAll")), problem);
}

customElements.define("settings-view", SettingsView);
