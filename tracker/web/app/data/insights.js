// @ts-check
// What ended, by days of the viewer; and when such a day begins.
import { api } from "./api.js";

const MINUTE_MS = 60_000;

let zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/**
 * Of the last days, today included; of one project, or "": of all.
 * @param {number} days
 * @param {string} project
 */
export async function readInsights(days, project) {
	const read = () => api.insights({ days, project, tz: zone });
	try {
		return await read();
	} catch (error) {
		// Not every system knows time zones by their names: then their present offset has to do.
		if (!error.issues?.some(({ field }) => field === "tz")) throw error;
		zone = String(-new Date().getTimezoneOffset());
		return read();
	}
}

/**
 * @param {string} date
 * @param {string} tz Whose day it is, as the server was asked for it.
 * @returns {number} In milliseconds.
 */
export function dayBegin(date, tz) {
	return /^-?\d+$/.test(tz) ? Date.parse(date) - Number(tz) * MINUTE_MS : new Date(`${date}T00:00`).getTime();
}
