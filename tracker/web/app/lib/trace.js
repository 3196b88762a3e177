// @ts-check
// A stack trace, line by line: what are the error's own words, which lines name a place in the code,
// and whose code that is. Python, Java, Rust, Go and JavaScript; what is of none stays as it is.

/**
 * @typedef {object} Line
 * @property {string} text
 * @property {"error" | "frame" | "detail" | "words"} kind `detail`: says more of a frame beside it.
 * @property {boolean} library Of a frame and its details: the code is not the user's own.
 * @property {boolean} origin The user's own frame that is nearest to where the error arose.
 */

/**
 * @typedef {object} Language
 * @property {RegExp} frame With what tells whose code it is, as its only group that matches.
 * @property {RegExp} library Whether that is not the user's.
 * @property {RegExp} error A line that begins with the error's own words.
 * @property {"first" | "last"} newest Which frame of an error is nearest to where it arose.
 * @property {(lines: Line[], language: Language) => void} [refine] What one line alone does not tell.
 */

/** @type {Record<string, Language>} In this order: what looks like several is the first. */
const LANGUAGES = {
	python: {
		frame: /^[\s|+-]*File "([^"]*)", line \d+/,
		library: /[\\/](?:site|dist)-packages[\\/]|[\\/]lib(?:64)?[\\/]python[\d.]+[\\/]|[\\/]Lib[\\/]\w+(?:[\\/]|\.py)|^<frozen /,
		error: /^(?!)/, // by where it stands alone
		newest: "last",
		refine: refinePython,
	},
	java: {
		frame: /^\s*at ([\w.$/@-]+)\.[\w$<>]+\([^()]*\)/,
		library: /^(?:[\w.@-]+\/)?(?:javax?|jdk|sun|com\.sun|kotlinx?|scala|groovy|org\.(?:junit|springframework|apache|gradle|hibernate|eclipse|jetbrains|mockito))\./,
		error: /^(?:Exception in thread "|\s*Caused by: |\s*Suppressed: )/,
		newest: "first",
	},
	rust: {
		frame: /^\s+\d+: (?:0x[\da-f]+ - )?(\S.*)$/,
		library: /^[<&]*(?:std|core|alloc|test|tokio)::|^(?:rust_begin_unwind|_*rust_\w+|_start|__libc_\w+|main|start_thread|clone3?)$/,
		error: /^thread '.*' (?:\(\d+\) )?panicked at/,
		newest: "first",
		refine: refineRust,
	},
	go: {
		frame: /^\t([^\s:][^\t]*\.(?:go|s)):\d+/,
		library: /[\\/]go[\d.]*[\\/](?:[\w.]+[\\/])?src[\\/](?!.*[\\/]src[\\/])|^\$?GOROOT[\\/]|[\\/]pkg[\\/]mod[\\/]|[\\/]vendor[\\/]/,
		error: /^\s*(?:panic|fatal error): /,
		newest: "first",
		refine: refineGo,
	},
	javascript: {
		frame: /^\s*at (?:.*\(([^()]*)\)|(?:async )?(\S+))\s*$|^[^\s@]*@(\S+:\d+:\d+)$/,
		library: /[\\/]node_modules[\\/]|^node:|^internal[\\/]|^<anonymous>$|^native$|^(?:chrome|moz)-extension:/,
		error: /^\s*(?:Uncaught |\[cause\]: |Caused by: )[A-Za-z_$]/,
		newest: "first",
	},
};

// Of any language.
const SYSTEM = /^(?:file:\/\/)?\/usr\/(?:local\/)?(?:lib|lib64|share)\//;
const RUST_PLACE = /^\s+at (\S+\.rs):\d+/;
const RUST_LIBRARY = /[\\/]rustc[\\/]|[\\/]\.cargo[\\/]registry[\\/]|[\\/]rustlib[\\/]/;
const OMITTED = /^\s*\.\.\. \d+ (?:more|common frames omitted)|^\s*\[Previous line repeated/;

/**
 * @param {string} trace
 * @returns {Line[]}
 */
export function readTrace(trace) {
	const texts = trace.split(/\r?\n/);
	const language = languageOf(texts);
	const lines = texts.map((text) => lineOf(text, language));
	if (!language) return lines;
	const beginning = lines.find(({ text }) => text.trim());
	if (beginning?.kind === "words" && !language.refine) beginning.kind = "error";
	language.refine?.(lines, language);
	lines.forEach((line, at) => {
		if (OMITTED.test(line.text)) Object.assign(line, { kind: "detail", library: lines[at - 1]?.library ?? false });
	});
	markOrigin(lines, language);
	return lines;
}

/** @returns {Language | undefined} Of which most lines look like frames. */
function languageOf(texts) {
	const counted = Object.values(LANGUAGES).map((language) => ({
		language, count: texts.filter((text) => language.frame.test(text)).length,
	}));
	const best = counted.reduce((most, one) => (one.count > most.count ? one : most));
	return best.count ? best.language : undefined;
}

/** @returns {Line} */
function lineOf(text, language) {
	const match = language?.frame.exec(text);
	const place = match?.slice(1).find((group) => group !== undefined);
	if (place !== undefined) {
		return { text, kind: "frame", library: language.library.test(place) || SYSTEM.test(place), origin: false };
	}
	return { text, kind: language?.error.test(text) ? "error" : "words", library: false, origin: false };
}

/** Source stands below its frame, further in; the error's words below all frames, further out. */
function refinePython(lines) {
	/** @type {Line | null} */
	let frame = null;
	for (const line of lines) {
		if (line.kind === "frame") frame = line;
		else if (frame && indent(line) > indent(frame)) Object.assign(line, { kind: "detail", library: frame.library });
		else if (frame && line.text.trim() && !OMITTED.test(line.text)) {
			line.kind = "error";
			frame = null;
		}
	}
}

function indent({ text }) {
	return /^[\s|]*/.exec(text)?.[0].length ?? 0;
}

/** Where a function stands follows its name, if it is known; a panic's words follow its place. */
function refineRust(lines) {
	lines.forEach((line, at) => {
		const before = lines[at - 1];
		const place = RUST_PLACE.exec(line.text)?.[1];
		if (place && before?.kind === "frame") {
			before.library = RUST_LIBRARY.test(place) || SYSTEM.test(place);
			Object.assign(line, { kind: "detail", library: before.library });
		} else if (line.kind === "words" && before?.kind === "error" && /panicked at/.test(before.text)) line.kind = "error";
	});
}

/** A function's name stands above where it is. */
function refineGo(lines) {
	lines.forEach((line, at) => {
		const before = lines[at - 1];
		if (line.kind === "frame" && before?.kind === "words" && /^\S.*(?:\)|\d)$/.test(before.text)) {
			Object.assign(before, { kind: "detail", library: line.library });
		}
	});
}

/** @param {Line[]} lines @param {Language} language */
function markOrigin(lines, { newest, refine }) {
	const own = ({ kind, library }) => kind === "frame" && !library;
	// Python says the error below its frames, all others above.
	const isBelow = refine === refinePython;
	const starts = lines.flatMap(({ kind }, at) => (kind === "error" ? [at] : []));
	const bounds = isBelow ? [0, ...starts] : [...starts, lines.length];
	for (let at = bounds.length - 1; at > 0; at--) {
		const block = lines.slice(bounds[at - 1], bounds[at] + (isBelow ? 1 : 0)).filter(own);
		const origin = newest === "first" ? block[0] : block.at(-1);
		if (origin) {
			origin.origin = true;
			return;
		}
	}
}
