// @ts-check
// The page without its server: it opens, and says since when it is offline. Only the page and what it
// is made of are kept; whatever is read comes from the server alone.

/** @type {any} A ServiceWorkerGlobalScope, whose types are not those of a page. */
const worker = self;
const CACHE = "tracker-page";
const scope = new URL(worker.registration.scope);
const ASSET = new RegExp(`^${scope.pathname}assets/[0-9a-f]{12}/`);

worker.addEventListener("install", (event) => event.waitUntil(renew().then(() => worker.skipWaiting())));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
	const { request } = event;
	const url = new URL(request.url);
	if (request.method !== "GET" || url.origin !== scope.origin) return;
	if (request.mode === "navigate") event.respondWith(navigate(request));
	else if (ASSET.test(url.pathname)) event.respondWith(asset(request));
});

async function navigate(request) {
	try {
		const response = await fetch(request);
		const isPage = response.headers.has("X-Dashboard");
		if (isPage) renew(response.clone());
		// Another program answers at this address now: it is not ours to stand before.
		else if (response.ok && new URL(request.url).pathname === scope.pathname) await leave();
		return response;
	} catch (error) {
		const page = await caches.match(scope.href, { cacheName: CACHE });
		if (!page) throw error;
		return page;
	}
}

async function asset(request) {
	const kept = await caches.match(request, { cacheName: CACHE, ignoreVary: true });
	if (kept) return kept;
	const response = await fetch(request);
	if (response.ok) (await caches.open(CACHE)).put(request, response.clone());
	return response;
}

/**
 * Keep the page and what it names, and nothing of another version of it.
 * @param {Response} [response]
 */
async function renew(response) {
	const page = response ?? (await fetch(scope.href));
	if (!page.ok) return;
	const text = await page.clone().text();
	const named = [...text.matchAll(/(?:href|src|content)="(\/[^"]*assets\/[^"]+)"/g)].map((match) => match[1]);
	const cache = await caches.open(CACHE);
	const folder = /.*\/assets\/[^/]+\//.exec(named[0] ?? "")?.[0];
	for (const { url } of await cache.keys()) {
		if (!folder || !new URL(url).pathname.startsWith(folder)) await cache.delete(url);
	}
	await Promise.all(named.map(async (path) => (await cache.match(path)) || cache.add(path)));
	await cache.put(scope.href, page);
}

async function leave() {
	await caches.delete(CACHE);
	await worker.registration.unregister();
}
