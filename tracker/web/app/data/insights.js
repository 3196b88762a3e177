// @ts-check
// What ended, by days of the viewer; and when such a day begins.
import { api } from "./api.js";
import { inZone } from "./time.js";

const MINUTE_MS = 60_000;

/**
 * Of the last days, today included; of one project, or "": of all.
 * @param {number} days
 * @param {string} project
 */
export function readInsights(days, project) {
	return inZone((tz) => api.insights({ days, project, tz }));
}

/**
 * @param {string} date
 * @param {string} tz Whose day it is, as the server was asked for it.
 * @returns {number} In milliseconds.
 */
export function dayBegin(date, tz) {
	return /^-?\d+$/.test(tz) ? Date.parse(date) - Number(tz) * MINUTE_MS : new Date(`${date}T00:00`).getTime();
}
