// @ts-check
// The same for many tasks, one request each: a few at a time, and with a pause when the server asks for one.
import { paused } from "./api.js";

const AT_ONCE = 4;
const TRIES = 5;

/**
 * `act` for each of the items; one that fails does not hold up the others. Both lists of what has become
 * of them are in the order of the items.
 * @template Item, Answer
 * @param {Item[]} items
 * @param {(item: Item) => Promise<Answer>} act
 * @param {(count: number) => void} onProgress How many have been tried.
 */
export async function inBulk(items, act, onProgress) {
	/** @type {({answer: Answer} | {error: any})[]} */
	const outcomes = [];
	let next = 0;
	let count = 0;
	const work = async () => {
		while (next < items.length) {
			const at = next++;
			outcomes[at] = await attempt(() => act(items[at]));
			onProgress(++count);
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, work));
	const all = outcomes.map((outcome, at) => ({ item: items[at], ...outcome }));
	return { done: all.filter((one) => "answer" in one), failed: all.filter((one) => "error" in one) };
}

async function attempt(act) {
	for (let tried = 1; ; tried++) {
		await paused();
		try {
			return { answer: await act() };
		} catch (error) {
			const isLater = error.status === 429 || error.status === 503;
			if (!isLater || tried === TRIES) return { error };
		}
	}
}
