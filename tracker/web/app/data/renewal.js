// @ts-check
// Reading again unasked, because of events: never while nobody looks at the page, and, however many
// parts of it read, no more often than leaves the server's limit to people. Five pages of any view
// stay under 200 reads a minute; what happens is seen at once all the same, by the events.

const BURST = 10;
const MOST_DEBT = 6; // what a view reads at once, or it would pay for less than it has
const READ_EVERY = 2000;

// What is read because somebody has gone somewhere puts nothing off.
const FREE_MS = 3000;

let freeUntil = performance.now() + FREE_MS;
let allowance = BURST;
let countedAt = performance.now();

/** A read is sent. Those that somebody asked for count, too; but they may run up little debt. */
export function countRead() {
	if (performance.now() < freeUntil) return;
	allowance = Math.max(-MOST_DEBT, refilled() - 1);
	countedAt = performance.now();
}

/** Somebody has gone to another view. */
export function navigated() {
	freeUntil = performance.now() + FREE_MS;
	allowance = Math.max(1, refilled());
	countedAt = performance.now();
}

function refilled() {
	return Math.min(BURST, allowance + (performance.now() - countedAt) / READ_EVERY);
}

/** @type {Set<() => void>} */
const unseen = new Set();

document.addEventListener("visibilitychange", () => {
	if (document.hidden) return;
	const due = [...unseen];
	unseen.clear();
	for (const run of due) run();
});

/**
 * `read`, at most once each `ms`: at once if that may be, otherwise as soon as it may.
 * @param {() => unknown} read Tells of its failures itself.
 */
export function renewal(read, ms) {
	let timer = 0;
	let next = 0;
	const run = () => {
		timer = 0;
		if (document.hidden) return void unseen.add(run);
		const wait = Math.max(next - performance.now(), (1 - refilled()) * READ_EVERY);
		if (wait > 0) {
			timer = setTimeout(run, wait);
			return;
		}
		next = performance.now() + ms;
		read();
	};
	return () => {
		if (!timer) run();
	};
}
