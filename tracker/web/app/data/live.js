// @ts-check
// One WebSocket that follows the event log from a cursor. Whatever breaks it (sleep, a restart, the
// network), it comes back and reads on from the last event it has seen: nothing missed, and an
// event that came twice is dropped by its number.
import { lastLive, rememberLive } from "../lib/offline.js";
import { root } from "../lib/router.js";
import { api, ApiError } from "./api.js";
import { serverNow, syncClock } from "./time.js";

const PING_EVERY = 20_000;
const PONG_WITHIN = 8_000;
const FIRST_RETRY = 300;
const LAST_RETRY = 10_000;
// A hidden page draws no frames; its events wait at most this long.
const HIDDEN_FLUSH = 1_000;
// For each moment that the page takes to show events, so many in which it shows none: however many
// come, it stays at hand. But none waits for long.
const REST = 6;
const LONGEST_REST = 1_000;
// Events of deleted tasks never come: the log's end has been reached when nothing more does.
const QUIET = 1_500;
// The server takes no live connection from this page's origin (CloseCode.FORBIDDEN).
const FORBIDDEN = 3003;
// The session is over (CloseCode.UNAUTHORIZED).
const UNAUTHORIZED = 3000;

export class Live {
	/** state: "connecting", "catching-up", "live" or "offline". */
	state = "connecting";
	/** @type {number | null} */
	offlineSince = null;
	/** Whether the server has said that it takes no live connection from this page. */
	refused = false;

	#store;
	#onState;
	#onNews;
	/** @type {WebSocket | null} */
	#socket = null;
	/** @type {any} A number from the first snapshot on. */
	#cursor = null;
	#target = 0;
	#queue = [];
	/** Those of the queue that were heard as they happened, not read on after a while offline. */
	#news = [];
	#flushing = false;
	#restUntil = 0;
	#retryIn = FIRST_RETRY;
	#pingSent = 0;
	#timers = {};
	#stopped = true;
	#run = 0;

	/** `onNews(events)`: after the store has them, those that were heard as they happened. */
	constructor(store, onState, onNews) {
		this.#store = store;
		this.#onState = onState;
		this.#onNews = onNews;
		addEventListener("online", () => this.#reconnect());
		addEventListener("offline", () => this.#disconnected());
		document.addEventListener("visibilitychange", () => {
			if (document.hidden) return;
			if (this.state === "offline") this.#reconnect();
			else this.#ping();
		});
	}

	start() {
		this.#stopped = false;
		this.#connect();
	}

	stop() {
		this.#stopped = true;
		this.#close();
		this.#forget();
	}

	#forget() {
		this.#cursor = null;
		this.#queue = [];
		this.#news = [];
	}

	#reconnect() {
		if (this.#stopped || this.#socket) return;
		this.#retryIn = FIRST_RETRY;
		this.#connect();
	}

	async #connect() {
		this.#timer("retry");
		const run = ++this.#run;
		try {
			const sent = Date.now();
			// What is read meanwhile may have been read before: then the log is followed from there.
			const [info, now] = await Promise.all([api.info(), this.#cursor ?? api.now().catch(() => null)]);
			if (run !== this.#run || this.#stopped) return;
			syncClock(info.timestamp, sent, Date.now());
			this.#target = info.last_id;
			this.#cursor ??= Math.min(info.last_id, now?.last_id ?? info.last_id);
			this.#open(run);
		} catch (error) {
			if (run !== this.#run) return;
			if (error instanceof ApiError && error.status === 401) this.stop();
			else this.#disconnected();
		}
	}

	#open(run) {
		const url = new URL(`${root}/ws?since=${this.#cursor}`, location.href);
		url.protocol = url.protocol.replace("http", "ws");
		const socket = new WebSocket(url);
		this.#socket = socket;
		const current = () => this.#socket === socket && run === this.#run;
		const opened = () => {
			if (!current()) return;
			this.refused = false;
			this.#retryIn = FIRST_RETRY;
			this.#set(this.#cursor < this.#target ? "catching-up" : "live");
			this.#watchForQuiet();
			this.#timer("ping", PING_EVERY, () => this.#ping());
		};
		// A refusal comes as a close after the opening.
		socket.onopen = () => (this.refused ? this.#timer("opened", QUIET, opened) : opened());
		socket.onmessage = ({ data }) => current() && this.#receive(JSON.parse(data));
		socket.onclose = ({ code }) => {
			if (!current()) return;
			this.refused = code === FORBIDDEN;
			if (this.refused) this.#retryIn = LAST_RETRY;
			if (code === UNAUTHORIZED) this.#askAgain();
			else this.#disconnected();
		};
	}

	#receive(message) {
		if (message.type === "pong") {
			this.#timer("pong");
			syncClock(message.timestamp, this.#pingSent, Date.now());
			rememberLive(Date.parse(message.timestamp));
			this.#timer("ping", PING_EVERY, () => this.#ping());
		} else if (message.type === "resync_required") {
			// The log before the cursor is gone: begin again from a snapshot.
			this.#close();
			this.#forget();
			this.#connect().then(() => this.#store.reset());
		} else if (message.id > this.#cursor) {
			this.#cursor = message.id;
			this.#queue.push(message);
			if (message.id > this.#target) this.#news.push(message);
			this.#flushSoon();
			if (this.state === "catching-up") this.#watchForQuiet();
		}
	}

	#watchForQuiet() {
		this.#timer("quiet", QUIET, () => this.state === "catching-up" && this.#set("live"));
	}

	/** However many arrive: one pass over them a frame, or less often where a pass takes long. */
	#flushSoon() {
		if (this.#flushing) return;
		this.#flushing = true;
		const rest = this.#restUntil - performance.now();
		if (rest > 0) setTimeout(() => this.#flushInFrame(), rest);
		else this.#flushInFrame();
	}

	#flushInFrame() {
		const flush = () => {
			// The one of both that comes first. A timer left over would flush what is to rest.
			cancelAnimationFrame(frame);
			clearTimeout(timer);
			this.#flushing = false;
			const begun = performance.now();
			setTimeout(() => { // the frame has been drawn by then
				const now = performance.now();
				this.#restUntil = now + Math.min(LONGEST_REST, REST * (now - begun));
			});
			const [batch, news] = [this.#queue, this.#news];
			this.#queue = [];
			this.#news = [];
			if (batch.length) this.#store.apply(batch);
			if (news.length) this.#onNews(news);
			if (this.state === "catching-up" && this.#cursor >= this.#target) this.#set("live");
		};
		const frame = requestAnimationFrame(flush);
		const timer = setTimeout(flush, HIDDEN_FLUSH);
	}

	/** A connection that died in silence (sleep, a lost network) shows only when asked. */
	#ping() {
		if (this.#socket?.readyState !== WebSocket.OPEN) return;
		this.#timer("ping");
		this.#pingSent = Date.now();
		this.#socket.send('{"type":"ping"}');
		this.#timer("pong", PONG_WITHIN, () => this.#disconnected());
	}

	/** Start a timer in place of the one of this name; without an action: stop that one. */
	#timer(name, ms, action) {
		clearTimeout(this.#timers[name]);
		if (action) this.#timers[name] = setTimeout(action, ms);
	}

	#disconnected() {
		if (this.#stopped) return;
		this.#close();
		if (this.state !== "offline") this.offlineSince = this.#cursor === null ? (lastLive() ?? serverNow()) : serverNow();
		this.#set("offline");
		this.#retry();
	}

	/** The server is there: whether anybody is still signed in, the next request tells. */
	#askAgain() {
		this.#close();
		this.#set("connecting");
		this.#retry();
	}

	#retry() {
		const jitter = 0.5 + Math.random() / 2;
		this.#timer("retry", this.#retryIn * jitter, () => this.#connect());
		this.#retryIn = Math.min(LAST_RETRY, this.#retryIn * 2);
	}

	#close() {
		this.#run++;
		for (const name of Object.keys(this.#timers)) this.#timer(name);
		const socket = this.#socket;
		this.#socket = null;
		socket?.close();
	}

	#set(state) {
		const isBack = this.state === "offline" && state !== "offline";
		if (state !== "offline") this.offlineSince = null;
		this.state = state;
		this.#onState();
		if (isBack) this.#store.back();
	}
}
