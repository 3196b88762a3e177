// @ts-check
/** Opens over the page; gone when it is closed, by Escape or a click beside it too. */
export function openDialog(dialog) {
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	dialog.showModal();
}
