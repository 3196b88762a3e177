// @ts-check
/** Opens over the page; gone when it is closed, by Escape or, if `light`, a click beside it too. */
export function openDialog(dialog, { light = true } = {}) {
	dialog.addEventListener("click", (event) => light && event.target === dialog && dialog.close());
	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	dialog.showModal();
}
