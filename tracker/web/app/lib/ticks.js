// @ts-check
// Where an axis has its marks. Pure: tests/web/test_dashboard_modules.py.

const MOST_STEPS = 4;

/**
 * Round values from 0 to one that is not below `most`, at the same distance.
 * @param {number} most
 * @param {boolean} isWhole Whether what is counted has no parts.
 */
export function ticksTo(most, isWhole) {
	const least = most > 0 ? most / MOST_STEPS : 1;
	const power = 10 ** Math.floor(Math.log10(least));
	const step = [1, 2, 5, 10].map((times) => times * power).find((round) => round >= least * (1 - 1e-9)) ?? 10 * power;
	const whole = isWhole ? Math.max(1, step) : step;
	const count = Math.max(1, Math.ceil(most / whole - 1e-9));
	return Array.from({ length: count + 1 }, (_, index) => index * whole);
}
