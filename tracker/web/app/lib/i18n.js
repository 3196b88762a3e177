// @ts-check
// Every string the user reads stands in one catalogue for each language: i18n/en.js, i18n/ru.js.
import en from "../i18n/en.js";
import ru from "../i18n/ru.js";
import { decimal, thousands, twoDigits } from "./numbers.js";
import { pref } from "./prefs.js";

const CATALOGUES = { en, ru };
export const LANGUAGES = { en: "English", ru: "Русский" };

/** @returns {"en" | "ru"} */
export function language() {
	const system = navigator.language.startsWith("ru") ? "ru" : "en";
	return pref("language", system) === "ru" ? "ru" : "en";
}

/** The string `key`, with {name} replaced. A string of several forms is chosen by {count}. */
export function t(key, values = {}) {
	let template = key.split(".").reduce((part, name) => part?.[name], CATALOGUES[language()]) ?? key;
	if (typeof template === "object") {
		const form = new Intl.PluralRules(language()).select(values.count);
		template = template[form] ?? template.other;
	}
	return template.replace(/\{(\w+)\}/g, (_, name) =>
		typeof values[name] === "number" ? number(values[name]) : (values[name] ?? ""),
	);
}

const formats = new Map();

function format(make, name) {
	const id = name + language();
	if (!formats.has(id)) formats.set(id, make(language() === "en" ? "en-GB" : "ru-RU"));
	return formats.get(id);
}

export function number(value, digits = 0) {
	return decimal(value, language(), 0, digits);
}

/** 15.3k: what is counted in thousands. */
export function tokens(count) {
	const power = thousands(count);
	return t(`unit.thousand${power}`, { n: number(count / 1000 ** power, 1) });
}

/** $0.42; of less than a cent two digits that say something. */
export function cost(usd) {
	return `$${usd < 0.01 ? decimal(usd, language(), 0, twoDigits(usd)) : decimal(usd, language(), 2, 2)}`;
}

/** @typedef {Intl.DateTimeFormatOptions} Shown */
/** @type {Shown} */
const DAY = { day: "numeric", month: "short" };
/** @type {Shown} */
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** Local time: of today the time alone. */
export function clockTime(ms, now) {
	const time = format((l) => new Intl.DateTimeFormat(l, TIME), "time").format(ms);
	return new Date(ms).toDateString() === new Date(now).toDateString() ? time : `${day(ms)} ${time}`;
}

/** Local time with its year: of what is years away as well. */
export function fullTime(ms) {
	/** @type {Shown} */
	const shown = { ...DAY, year: "numeric", hour: "2-digit", minute: "2-digit" };
	return format((l) => new Intl.DateTimeFormat(l, shown), "full").format(ms);
}

export function day(ms) {
	return format((l) => new Intl.DateTimeFormat(l, DAY), "day").format(ms);
}

/** A day of the server's statistics, which counts them in UTC. */
export function utcDay(date) {
	return format((l) => new Intl.DateTimeFormat(l, { ...DAY, timeZone: "UTC" }), "utc").format(
		Date.parse(date),
	);
}

/** 8 s, 4 min 05 s, 2 h 03 min, 3 d 4 h: two units tell enough. */
export function duration(seconds) {
	const s = Math.max(0, seconds);
	if (s < 10 && s % 1) return t("unit.s", { n: number(s, 1) });
	const [d, h, m, r] = [s / 86400, (s / 3600) % 24, (s / 60) % 60, s % 60].map(Math.floor);
	const two = (n) => String(n).padStart(2, "0");
	if (d) return `${t("unit.d", { n: number(d) })} ${t("unit.h", { n: h })}`;
	if (h) return `${t("unit.h", { n: h })} ${t("unit.min", { n: two(m) })}`;
	if (m) return `${t("unit.min", { n: m })} ${t("unit.s", { n: two(r) })}`;
	return t("unit.s", { n: r });
}

/** @type {[string, number][]} */
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A round time: 5 min, 4 h. */
export function roundTime(seconds) {
	const [unit, size] = UNITS.slice(1).find(([, size]) => seconds >= size) ?? UNITS[3];
	return t(`unit.${unit}`, { n: seconds / size });
}

/** How long ago, in one unit. */
export function ago(ms) {
	const s = Math.floor(ms / 1000);
	if (s < 5) return t("ago.now");
	for (const [unit, size] of UNITS) {
		if (s >= size) return t("ago.past", { time: t(`unit.${unit}`, { n: Math.floor(s / size) }) });
	}
	return "";
}

export function bytes(n) {
	return n < 1048576 ? t("unit.KB", { n: n / 1024 }) : t("unit.MB", { n: n / 1048576 });
}
