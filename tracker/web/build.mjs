// Builds the dashboard, app/ → built/: scripts/dashboard.py runs it.
import { cp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const NEW = "built.new";

const COMMON = {
	outdir: NEW,
	bundle: true,
	minify: true,
	sourcemap: true,
	target: ["es2022", "chrome115", "firefox120", "safari17.5"],
	legalComments: "none", // packages.json has the licences
	charset: "utf8", // Cyrillic takes a third of its escapes
	logLevel: "warning",
};

await build({ ...COMMON, entryPoints: ["app/worker.js", "app/early.js"] });
const { metafile } = await build({
	...COMMON,
	entryPoints: ["app/main.js", "app/style/main.css"],
	entryNames: "[name]",
	chunkNames: "[name]-[hash]",
	assetNames: "[name]-[hash]",
	splitting: true,
	format: "esm",
	loader: { ".woff2": "file" },
	// The one for browsers reads HTML's character references by innerHTML, which the page refuses.
	alias: { "decode-named-character-reference": "./node_modules/decode-named-character-reference/index.js" },
	metafile: true,
});

const AS_THEY_ARE = ["manifest.json", "icon.svg", "icon-180.png", "icon-192.png", "icon-512.png"];
for (const name of AS_THEY_ARE) await cp(`app/${name}`, `${NEW}/${name}`);
await dropIdle(metafile);
await nameParts(metafile);
await badges();
await writeFile(`${NEW}/packages.json`, `${JSON.stringify(await packages(metafile), null, "\t")}\n`);
// In one step: a server that starts meanwhile reads the old ones or the new ones.
await rm("built", { recursive: true, force: true });
await rename(NEW, "built");

/** A part of esbuild's own, which exports helpers, is imported by all: that is a request for whoever uses none. */
async function dropIdle({ outputs }) {
	const isOwn = ({ inputs, entryPoint }, path) => !Object.keys(inputs).length && !entryPoint && path.endsWith(".js");
	const own = Object.entries(outputs).filter(([path, output]) => isOwn(output, path)).map(([path]) => path);
	for (const [path, output] of Object.entries(outputs)) {
		if (!output.imports.some((one) => own.includes(one.path))) continue;
		const code = await readFile(path, "utf8");
		// As long as it was: source maps count columns.
		const without = own.reduce((text, part) => text.replace(`import"${part.replace(NEW, ".")}";`, (found) => " ".repeat(found.length)), code);
		if (without === code) continue;
		await writeFile(path, without);
		output.imports = output.imports.filter((one) => !own.includes(one.path));
	}
}

/** The page names what main.js is made of, so that it is read at once, and what comes later, for app/worker.js. */
async function nameParts({ outputs }) {
	const { imports } = Object.values(outputs).find(({ entryPoint }) => entryPoint === "app/main.js");
	const of = (kind) => imports.filter((one) => one.kind === kind).map(({ path }) => path.replace(NEW, "/assets"));
	const fonts = Object.keys(outputs).filter((path) => path.includes("/inter-latin-wght")).map((path) => path.replace(NEW, "/assets"));
	const links = [
		...fonts.map((path) => `<link rel="preload" as="font" type="font/woff2" crossorigin href="${path}">`),
		...of("import-statement").map((path) => `<link rel="modulepreload" href="${path}">`),
		...of("dynamic-import").map((path) => `<meta name="later" content="${path}">`),
	];
	const page = await readFile("app/index.html", "utf8");
	await writeFile(`${NEW}/index.html`, page.replace('\t\t<script type="module"', links.map((link) => `\t\t${link}\n`).join("") + '\t\t<script type="module"'));
}

/** The icon with a number on it: parts/badge.js chooses. */
async function badges() {
	const icon = await readFile("app/icon.svg", "utf8");
	for (const [name, words] of [...Array.from("123456789", (n) => [`of-${n}`, n]), ["more", "9+"]]) {
		const badge = `<circle cx="20" cy="20" r="12" fill="#b8242d"/><text x="20" y="${27 - words.length}" font-family="sans-serif" `
			+ `font-size="${23 - 4 * words.length}" font-weight="bold" text-anchor="middle" fill="#fff">${words}</text>`;
		await writeFile(`${NEW}/icon-${name}.svg`, icon.replace("</svg>", `${badge}</svg>`));
	}
}

/** What has come into the files, for `tracker licenses`. */
async function packages({ outputs }) {
	const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
	const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
	const named = used.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
	const names = [...new Set(named.filter((name) => name !== undefined))].sort();
	return Promise.all(names.map(describe));
}

async function describe(name) {
	const folder = `node_modules/${name}`;
	const { version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
	const files = (await readdir(folder)).filter((file) => /^licen[cs]e/i.test(file));
	const texts = await Promise.all(files.map((file) => readFile(`${folder}/${file}`, "utf8")));
	const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
	return { name, version, license, text: texts.join("\n\n").trim(), purl };
}
