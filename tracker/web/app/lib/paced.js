// @ts-check
/** At most one call each `ms`: the first at once, and a last one for what came meanwhile. */
export function paced(call, ms) {
	let timer = 0;
	let again = false;
	return () => {
		if (timer) {
			again = true;
			return;
		}
		call();
		const rest = () => {
			timer = 0;
			if (!again) return;
			again = false;
			call();
			timer = setTimeout(rest, ms);
		};
		timer = setTimeout(rest, ms);
	};
}
