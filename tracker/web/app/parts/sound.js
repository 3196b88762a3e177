// @ts-check
// A short sound, if the user wants one. Browsers play none before he has done something on the page.
import { pref } from "../lib/index.js";

/** Hertz, one after the other. */
const TONES = [660, 880];
const TONE_SECONDS = 0.12;
const LOUDNESS = 0.08;

/** @type {any} An AudioContext, from the first sound on. */
let context = null;

export function chime() {
	if (pref("sound") !== "on" || !("AudioContext" in window) || !navigator.userActivation?.hasBeenActive) return;
	context ??= new AudioContext();
	if (context.state === "suspended") context.resume();
	for (const [index, tone] of TONES.entries()) {
		const [start, end] = [index, index + 1].map((n) => context.currentTime + n * TONE_SECONDS);
		const [source, gain] = [context.createOscillator(), context.createGain()];
		source.frequency.value = tone;
		gain.gain.setValueAtTime(LOUDNESS, start);
		gain.gain.exponentialRampToValueAtTime(0.001, end); // without a click
		source.connect(gain).connect(context.destination);
		source.start(start);
		source.stop(end);
	}
}
