// @ts-check
// <audit-section>: who did what, for administrators; the newest first.
import { duration, fullTime, h, isolate, roundTime, t, text } from "../lib/index.js";
import { api } from "../data/index.js";
import { timeShown } from "../parts/index.js";

// Where the server itself, or a command beside it, did something: as in tracker/domain/audit.py.
const THIS_MACHINE = "this machine";
const PAGE = 25;
const HOUR = 3600;
const DAY = 24 * HOUR;
const COLUMNS = ["when", "who", "what", "subject", "from"];
const ACTIONS = [
	"key_created", "key_rotated", "key_revoked", "signed_in", "signed_out_all", "wrong_key", "forbidden",
	"task_deleted", "project_deleted", "imported", "restored", "pruned", "settings_changed",
];
class AuditSection extends HTMLElement {
	#said = h("p.quiet", { role: "status" });
	#rows = h("tbody", { role: "rowgroup" });
	#table = h("table.records.audit", { role: "table" },
		h("caption.sr-only", t("audit.title")),
		h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
			COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader" }, t(`audit.${name}`))))),
		this.#rows);
	#older = h("button.button", { type: "button", hidden: true }, t("audit.older"));
	#action = h("select", { "aria-label": t("audit.filter") },
		h("option", { value: "" }, t("audit.any")),
		ACTIONS.map((action) => h("option", { value: action }, t(`audit.did.${action}`))));
	#last = 0;
	#run = 0;

	connectedCallback() {
		if (this.firstChild) return;
		this.className = "section";
		this.#action.addEventListener("change", () => this.#try(() => this.load()));
		this.#older.addEventListener("click", () => this.#try(() => this.#showOlder()));
		this.append(
			h("div.section-head", h("h2", { tabindex: "-1" }, t("audit.title")), this.#action),
			this.#said, this.#table, this.#older);
	}

	/** The newest. Throws what the API throws. */
	async load() {
		const entries = await this.#read({});
		if (!entries) return;
		this.#rows.replaceChildren(...entries);
		this.#table.hidden = !entries.length;
		text(this.#said, entries.length ? "" : t("audit.none"));
	}

	async #showOlder() {
		const entries = (await this.#read({ before: this.#last })) ?? [];
		this.#rows.append(...entries);
		entries[0]?.firstChild.focus();
	}

	async #try(action) {
		try {
			await action();
		} catch (error) {
			text(this.#said, error.status ? error.message : t("problem.unreachable"));
		}
	}

	/** The rows of a page; null if another has been asked for since. */
	async #read(query) {
		const run = ++this.#run;
		const { entries, has_more: more } = await api.audit({ limit: PAGE, action: this.#action.value, ...query });
		if (run !== this.#run) return null;
		this.#last = entries.at(-1)?.id ?? 0;
		this.#older.hidden = !more;
		return entries.map(row);
	}
}

function row({ last_at: at, first_at: first, count, action, by, address, subject, details }) {
	const times = count > 1 && h("span.times", { title: t("audit.since", { time: fullTime(Date.parse(first)) }) },
		t("audit.times", { count }));
	const cells = [
		[by ? isolate(by) : t("audit.unknown")],
		[known(`audit.did.${action}`, action), times],
		h("div.foreign", subject && isolate(subject), h("div.details.quiet", Object.entries(details).map(detail))),
		[address === THIS_MACHINE ? t("audit.here") : isolate(address)],
	];
	return h("tr", { role: "row" },
		h("th", { scope: "row", role: "rowheader", tabindex: "-1" }, timeShown(at, "full")),
		cells.map((content, index) => h("td", { role: "cell", "data-label": t(`audit.${COLUMNS[index + 1]}`) }, h("div", content))));
}

function detail([name, value]) {
	return h("span", known(`audit.detail.${name}`, name), ": ", isolate(valueOf(name, value)));
}

/** What a newer server tells is shown as it is. */
function valueOf(name, value) {
	if (name === "expires_at") return value ? fullTime(Date.parse(value)) : t("keys.never");
	if (name === "overlap_seconds") return period(value);
	if (name === "projects" && value === null) return t("keys.all");
	if (Array.isArray(value)) return value.join(", ");
	return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function period(seconds) {
	if (!seconds) return t("keys.atOnce");
	if (seconds % DAY === 0) return t("keys.days", { count: seconds / DAY });
	return seconds % HOUR ? duration(seconds) : roundTime(seconds);
}

function known(key, otherwise) {
	const words = t(key);
	return words === key ? otherwise : words;
}

customElements.define("audit-section", AuditSection);
