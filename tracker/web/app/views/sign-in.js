// @ts-check
// Signing in: the key is traded for a session and not kept.
import { h, t, text } from "../lib/index.js";
import { api } from "../data/index.js";
import { rememberKey } from "../parts/index.js";

export async function signIn(key) {
	await api.signIn(key);
	rememberKey(key);
}

/** Why the server did not take a key. */
export function refusal({ status, message }) {
	if (status === 401) return t("signIn.wrong");
	if (status === 403) return t("signIn.reportOnly");
	return status ? message : t("problem.unreachable");
}

/** `why`: what brought the user here; `onDone` is called once the server has taken the key. */
export function signInForm(onDone, why = "") {
	const problem = h("p.form-problem", { id: "key-problem", role: "alert" }, why);
	const input = h("input", {
		id: "key", name: "key", type: "password", required: true, autocomplete: "current-password",
		"aria-describedby": "key-problem key-help",
	});
	const form = h("form.sign-in",
		h("h1", { tabindex: "-1" }, t("signIn.title")),
		h("label", { for: "key" }, t("signIn.key")), input,
		h("button.button.button-strong", t("signIn.button")),
		problem,
		h("p.quiet", { id: "key-help" }, t("signIn.help")));
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		text(problem, "");
		try {
			await signIn(input.value.trim());
			onDone();
		} catch (error) {
			text(problem, refusal(error));
			input.select();
		}
	});
	return form;
}
