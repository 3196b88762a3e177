// @ts-check
/** At most one call each `ms`: the first at once, and a last one for what came meanwhile. */
export function throttle(call, ms) {
	let timer = 0;
	let pending = false;
	return () => {
		if (timer) {
			pending = true;
			return;
		}
		call();
		const next = () => {
			timer = 0;
			if (!pending) return;
			pending = false;
			call();
			timer = setTimeout(next, ms);
		};
		timer = setTimeout(next, ms);
	};
}
