// @ts-check
// The server's time, which may differ from this machine's; and one tick a second for all who show
// time passing.
import { offsetToday } from "../lib/days.js";

let skew = 0;

/** What the server's clock showed between the moments `sent` and `received` of ours. */
export function syncClock(serverTime, sent, received) {
	skew = Date.parse(serverTime) - (sent + received) / 2;
}

export function serverNow() {
	return Date.now() + skew;
}

let zone = "";

/**
 * What `read(tz)` reads of the viewer's days. Not every system knows time zones by their names: where the
 * server's does not, the offset of today has to do.
 * @template T
 * @param {(tz: string) => Promise<T>} read
 * @returns {Promise<T>}
 */
export async function inZone(read) {
	try {
		return await read((zone ||= Intl.DateTimeFormat().resolvedOptions().timeZone));
	} catch (error) {
		if (!error.issues?.some(({ field }) => field === "tz")) throw error;
		zone = offsetToday();
		return read(zone);
	}
}

const ticking = new Set();
/** @type {number | null} Since when, by this machine's clock. */
let heldSince = null;

export function onTick(listener) {
	ticking.add(listener);
	return () => ticking.delete(listener);
}

/** Without news nothing grows old: what is shown stays as it was last known. */
export function holdTicks(hold) {
	heldSince = hold ? heldSince ?? Date.now() : null;
}

/** Whether silence, and that a task takes long, can be told apart from our own not hearing. */
export function mayJudge() {
	return heldSince === null;
}

/** Until when the page has heard all that there was, in the server's time. */
export function heardUntil() {
	return (heldSince ?? Date.now()) + skew;
}

function tick() {
	if (!document.hidden && mayJudge()) for (const listener of ticking) listener();
}

setInterval(tick, 1000);

document.addEventListener("visibilitychange", tick);
