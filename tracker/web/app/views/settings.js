// @ts-check
// Settings: of this page, and of the server it shows; who is signed in; code that connects an agent.
// Administrators have the keys and the audit log here.
import { bytes, h, isolate, language, LANGUAGES, number, pref, root, setPref, t } from "../lib/index.js";
import { api, isAdmin } from "../data/index.js";
import {
	curl, heading, javascript, python, section, snippet, timeShown, View,
} from "../parts/index.js";
import { chime } from "../parts/sound.js";
import { roleWords } from "./key-dialogs.js";
import "./audit.js";
import "./keys.js";

const THEMES = ["system", "light", "dark"];

class SettingsView extends View {
	#access = section(t("access.title"));
	#server = section(t("settings.server"));
	#connect = section(t("settings.connect"));
	/** @type {any} */
	#keys = h("keys-section");
	/** @type {any} */
	#audit = h("audit-section");
	#jumps = h("div.jumps", { hidden: true }, jump(this.#keys, "keys.title"), jump(this.#audit, "audit.title"));

	render() {
		this.append(
			heading(t("nav.settings"), this.#jumps),
			h("div.settings-columns",
				h("div", section(t("settings.page"),
					choice("theme", t("settings.theme"), Object.fromEntries(THEMES.map((n) => [n, t(`theme.${n}`)])), pref("theme", "system")),
					choice("language", t("settings.language"), LANGUAGES, language()),
					notifications(), sound()), this.#access, this.#server),
				this.#connect),
		);
		this.#keys.addEventListener("change", () => this.#audit.load().catch(() => null));
	}

	async load() {
		const info = await api.info();
		fillSection(this.#access, ...accessOf(info.access));
		fillSection(this.#server, pairs(factsOf(info), (name) => t(`settings.fact.${name}`)),
			h("a", { href: `${root}/docs`, "data-outside": "" }, t("settings.docs")));
		fillSection(this.#connect, ...(isAdmin() ? examples(info) : [h("p", t("settings.connectOthers"))]));
		this.#jumps.hidden = !isAdmin();
		if (!isAdmin()) return;
		if (!this.#keys.isConnected) this.append(this.#keys, this.#audit);
		await Promise.all([this.#keys.load(), this.#audit.load()]);
	}
}

/** To a section far below. */
function jump(section, title) {
	const go = () => {
		section.scrollIntoView();
		section.querySelector("h2").focus({ preventScroll: true });
	};
	return h("button.button", { type: "button", onclick: go }, t(title));
}

function fillSection(section, ...content) {
	section.replaceChildren(section.firstChild, ...content);
}

function pairs(values, labelOf) {
	return h("dl.pairs", Object.entries(values).map(([name, value]) =>
		h("div", h("dt", labelOf(name)), h("dd", value))));
}

function accessOf({ name, role, projects, expires_at: end }) {
	const facts = {
		key: isolate(name),
		role: roleWords(role),
		projects: projects ? h("ul", projects.map((project) => h("li", isolate(project)))) : t("keys.all"),
		...(end ? { until: timeShown(end, "full") } : {}),
	};
	return [
		pairs(facts, (name) => t(`access.fact.${name}`)),
		isAdmin() ? signOutEverywhere() : h("p.quiet", t("access.others")),
	];
}

function factsOf(info) {
	const limit = (n, words = number) => (n ? words(n) : t("settings.noLimit"));
	return {
		address: h("code", location.origin + root),
		...(info.exposed ? { warning: t("settings.exposed") } : {}),
		version: info.version,
		...(isAdmin() ? {
			database: h("code", info.database),
			key: info.api_key_file ? h("code", info.api_key_file) : t("settings.keyGiven"),
		} : {}),
		durability: t(`settings.durability.${info.durability}`),
		webhooks: limit(info.limits.webhooks_per_minute),
		requests: limit(info.limits.api_requests_per_minute),
		sockets: limit(info.limits.websockets_per_project),
		body: bytes(info.limits.body_bytes),
		trace: bytes(info.limits.stack_trace_bytes),
		keptDays: limit(info.limits.retain_days),
		keptBytes: limit(info.limits.retain_bytes, bytes),
		keptAudit: limit(info.limits.retain_audit_days),
	};
}

function examples(info) {
	const code = { curl: curl(info), Python: python(info), JavaScript: javascript() };
	return [
		h("p.quiet", t("settings.connectText")),
		...Object.entries(code).flatMap(([name, { shown, copied }]) => [h("h3", name), snippet(shown, copied)]),
	];
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

/** Heard once when it is chosen. */
function sound() {
	const box = h("input", { type: "checkbox", checked: pref("sound") === "on" });
	box.addEventListener("change", () => {
		setPref("sound", box.checked ? "on" : "off");
		chime();
	});
	return h("label.check", box, h("span", t("settings.sound")));
}

function signOutEverywhere() {
	const problem = h("span.quiet", { role: "alert" });
	const signOut = () => api.signOut({ all: 1 }).then(() => setPref("out", Date.now()),
		(error) => { problem.textContent = error.message; });
	return h("p", h("button.button", { type: "button", onclick: signOut }, t("settings.signOutAll")), problem);
}

customElements.define("settings-view", SettingsView);
