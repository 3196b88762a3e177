// @ts-check
// The viewer's days.

/** Minutes east of UTC when this day began: without Intl, which takes long to begin with. */
export function offsetToday() {
	return String(-new Date(new Date().setHours(0, 0, 0, 0)).getTimezoneOffset());
}
