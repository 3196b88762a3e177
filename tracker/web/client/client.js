/**
 * Reports tasks to Agent Task Tracker, and reads them, from Node, Deno, Bun and browsers.
 *
 *     import { task } from "http://localhost:8000/client.js"; // or from the npm package
 *     await task("Evaluate", { project: "my-project" }, async (t) => t.progress(40, "half"));
 *
 * `task` never throws into the job and never keeps it waiting. `Client` waits for answers, and throws.
 */

const MOST_WAITING = 20_000; // reports
const MOST_BYTES = 16 * 1024 * 1024; // of them
const BATCH = 500; // reports; the server's limit
const BATCH_BYTES = 512 * 1024; // the server takes twice that
const KEEPALIVE_BYTES = 60_000; // browsers take 64 KiB of a page that goes away
const EXIT_MS = 2_000;
const GATHER_MS = 20;
const LONGEST_PAUSE_MS = 15_000;
const SILENT_MS = 45_000; // three of the stream's heartbeats
const MOST_RETRY_AFTER_S = 3_600; // setTimeout takes 24 days, a stranger's server may say anything
const LAST_EVENT = "9223372036854775807"; // beyond any event
const LIMITS = { project: 255, task_id: 255, agent: 255, session: 255, task: 1_000, message: 10_000 };
const RESULT = 10_000; // characters
const STACK = 3_400; // characters: at most three bytes each, of 10,240

const process = /** @type {any} */ (globalThis).process;
const inPage = typeof (/** @type {any} */ (globalThis).document) === "object";
const encoder = new TextEncoder();
/** @type {Set<Sender>} */
const senders = new Set();

/** What calls of `Client` throw. */
export class ClientError extends Error {
  name = "ClientError";
}

/** The server's answer was an error; `status`, `code` and `details` are its own. */
export class Refused extends ClientError {
  name = "Refused";
  constructor(status, error) {
    super(`${status}: ${words(error?.message ?? "refused")}`);
    this.status = status;
    this.code = error?.code ?? null;
    this.details = error?.details ?? null;
  }
}

/** No answer came. */
export class Unreachable extends ClientError {
  name = "Unreachable";
}

/** Where reports go, and what tasks have in common. */
export class Tracker {
  #sender;
  #defaults;

  constructor(options = /** @type {any} */ ({})) {
    const { project, agent, session } = options;
    this.#defaults = {
      project: project ?? environment("TRACKER_PROJECT") ?? folder(),
      agent: agent ?? environment("TRACKER_AGENT") ?? program(),
      session: session ?? environment("TRACKER_SESSION"),
    };
    this.#sender = new Sender(options);
  }

  task(title, options = {}, body = /** @type {any} */ (undefined)) {
    if (typeof options === "function") [options, body] = [{}, options];
    const made = new Task(this.#sender, title, { ...this.#defaults, ...present(options) });
    return body === undefined ? made : run(made, body);
  }

  /** Whether all that was reported has arrived, within `seconds`. */
  flush(seconds = 10) {
    return this.#sender.flush(seconds * 1000);
  }
}

/** One run of a task. Nothing of it throws. */
export class Task {
  #sender;
  #fields;
  #options;
  #state = "new";
  /** @type {string | undefined} What `finish` tells, if it is told nothing. */
  result;

  constructor(sender, title, options) {
    this.#sender = sender;
    this.#options = options;
    this.#fields = {
      project: options.project,
      task: title,
      task_id: options.taskId ?? random(),
      agent: options.agent,
      session: options.session,
    };
  }

  get id() {
    return this.#fields.task_id;
  }

  start() {
    if (this.#state !== "new") return this;
    this.#state = "running";
    const { metadata, parentTaskId, staleAfterSeconds } = this.#options;
    return this.#report("start", {
      metadata,
      parent_task_id: parentTaskId,
      stale_after_seconds: staleAfterSeconds,
    });
  }

  progress(percent, message) {
    const progress = Math.min(100, Math.max(0, Number(words(percent))));
    return this.tell({ progress: Number.isNaN(progress) ? undefined : progress, message });
  }

  message(text) {
    return this.tell({ message: text });
  }

  usage(usage) {
    return this.tell({ usage });
  }

  attention(text, id) {
    return this.tell({ attention: text, attention_id: id });
  }

  attended(id) {
    return this.tell({ attention: null, attention_id: id });
  }

  /** Further fields of a status, by the API's names. */
  tell(fields) {
    return this.start().#report("status", { status: "running", ...copied(fields) });
  }

  finish(result = this.result) {
    if (this.#state === "ended") return this;
    this.start().#state = "ended";
    return this.#report("finish", { result: result === undefined ? undefined : cut(result, RESULT) });
  }

  /** It failed, by an exception or in words. */
  fail(error) {
    if (this.#state === "ended") return this;
    this.start().#state = "ended";
    return this.#report("error", failure(error));
  }

  #report(kind, fields) {
    this.#sender.report(kind, { ...this.#fields, ...fields });
    return this;
  }
}

async function run(made, body) {
  made.start();
  try {
    const value = await body(made);
    made.finish();
    return value;
  } catch (error) {
    made.fail(error);
    throw error;
  }
}

/** @type {Tracker | undefined} */
let usual;

/** A task of the tracker that the environment names. */
export function task(title, options, body) {
  usual ??= new Tracker();
  return usual.task(title, options, body);
}

export async function flush(seconds = 10) {
  return usual === undefined || usual.flush(seconds);
}

/** Reports on their way: a queue, and one request at a time, so that they arrive in order. */
class Sender {
  #server;
  #warn;
  #said = new Set();
  #waiting = [];
  #bytes = 0;
  #sending = []; // the reports of the request under way, or to be repeated
  #most = BATCH;
  #failures = 0;
  #isSilent = false; // the last request had no answer in time
  #gather = GATHER_MS;
  #isRunning = false;
  #gaveUp = false; // at the end of the process
  #wake = () => {};
  #watchers = new Set(); // told after each request

  constructor({ url, apiKey, warn }) {
    this.#warn = warn ?? ((text) => console.warn(text));
    try {
      this.#server = new Server(url, apiKey, inPage ? 10_000 : EXIT_MS);
    } catch (error) {
      this.#say("settings", `nothing is reported: ${error.message}`);
    }
    watchTheEnd();
    senders.add(this);
  }

  get #isEmpty() {
    return !this.#waiting.length && !this.#sending.length;
  }

  report(kind, fields) {
    if (this.#server === undefined) return;
    const known = { kind, idempotency_key: random(), occurred_at: new Date().toISOString() };
    let text;
    try {
      text = JSON.stringify({ ...bounded(fields), ...known });
    } catch {
      this.#say("json", "a report's metadata or usage is no JSON, and was left out");
      const plain = Object.entries(bounded(fields)).filter(([, value]) => Object(value) !== value);
      const rest = plain.filter(([, value]) => typeof value !== "bigint");
      text = JSON.stringify({ ...Object.fromEntries(rest), ...known });
    }
    const size = encoder.encode(text).length;
    this.#waiting.push({ text, size, kind });
    this.#bytes += size;
    while (this.#waiting.length > MOST_WAITING || this.#bytes > MOST_BYTES) this.#drop();
    this.#gaveUp = false;
    if (!this.#isRunning) void this.#run();
  }

  /** Statuses go first, then what is oldest. */
  #drop() {
    const some = Math.ceil(this.#waiting.length / 20); // at once, or each report costs a pass
    let left = some;
    const kept = this.#waiting.filter(({ kind }) => kind !== "status" || --left < 0);
    this.#waiting = kept.length < this.#waiting.length ? kept : kept.slice(some);
    this.#bytes = this.#waiting.reduce((bytes, { size }) => bytes + size, 0);
    this.#say("full", "too many reports wait for the server: the oldest are dropped");
  }

  async #run() {
    this.#isRunning = true;
    let pause = this.#gather;
    while (!this.#isEmpty) {
      if (pause) await this.#sleep(pause);
      if (!this.#sending.length) this.#take();
      pause = this.#sending.length ? await this.#send() : 0;
      for (const told of this.#watchers) told();
    }
    this.#isRunning = false;
  }

  #take() {
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#waiting) {
      if (count === this.#most || (count && bytes + size > BATCH_BYTES)) break;
      bytes += size;
      count += 1;
    }
    this.#sending = this.#waiting.splice(0, count);
    this.#bytes -= bytes;
  }

  /** Milliseconds to wait before the next request. */
  async #send() {
    let answer;
    let results;
    try {
      answer = await this.#server.request("/webhook/batch", { body: batch(this.#sending) });
      if (answer.status === 200) results = (await answer.json()).results;
    } catch (error) {
      this.#isSilent = error instanceof Unreachable;
      return this.#failed(null);
    }
    const { status } = answer;
    this.#isSilent = false;
    this.#gather = spacing(answer);
    if (this.#areAnswers(results)) {
      this.#settle(results);
      if (this.#sending.length) return this.#failed(answer); // the database failed half-way
      this.#failures = 0;
      this.#most = Math.min(BATCH, this.#most * 2);
      return this.#watchers.size ? 0 : this.#gather;
    }
    if (status === 401 || status === 403) {
      this.#say("key", `the server refuses the key (${status}): reports wait`);
    } else if (status >= 400 && status < 500 && ![404, 408, 429].includes(status)) {
      if (this.#sending.length > 1) {
        this.#divide();
      } else {
        this.#say("refused", `a report was refused (${status}) and is dropped`);
        this.#sending = [];
      }
      return 0;
    }
    return this.#failed(answer);
  }

  /** Whoever listens there may say anything. */
  #areAnswers(results) {
    const isOfAll = Array.isArray(results) && results.length === this.#sending.length;
    return isOfAll && results.every((result) => Number.isInteger(result?.status));
  }

  #settle(results) {
    const refused = results.find(({ status }) => status >= 400 && status < 500 && status !== 429);
    if (refused) {
      const why = printable(refused.error?.message ?? refused.status);
      this.#say("refused", `a report was refused and is dropped: ${why}`);
    }
    this.#sending = this.#sending.filter(
      (_, index) => results[index].status >= 500 || results[index].status === 429,
    );
  }

  #divide() {
    this.#most = Math.max(1, Math.ceil(this.#sending.length / 2));
    const back = this.#sending.splice(this.#most);
    this.#waiting.unshift(...back);
    for (const { size } of back) this.#bytes += size;
  }

  #failed(answer) {
    this.#failures += 1;
    return pauseAfter(this.#failures, answer);
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      /** @type {any} */ (timer).unref?.(); // no job lives on for our sake
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** Whether all has arrived within `ms`. `once`: a request that fails is the last. */
  flush(ms, once = false) {
    return new Promise((resolve) => {
      const failures = this.#failures;
      const end = () => {
        clearTimeout(timer);
        this.#watchers.delete(told);
        resolve(this.#isEmpty);
      };
      const told = () => {
        if (this.#isEmpty || (once && this.#failures > failures)) end();
      };
      const timer = setTimeout(end, Math.min(ms, 2 ** 31 - 1)); // keeps the process
      this.#watchers.add(told);
      this.#wake();
      told();
    });
  }

  /** Node has nothing left to do. */
  async drain() {
    if (this.#isEmpty || this.#gaveUp) return;
    if (!this.#isSilent) await this.flush(EXIT_MS, true);
    this.#gaveUp = !this.#isEmpty;
  }

  /** The process ends now, by `process.exit()` or an exception: only a child can send. */
  exit() {
    if (this.#isEmpty) return;
    const bodies = [];
    for (; !this.#isEmpty; this.#sending = []) {
      if (!this.#sending.length) this.#take();
      bodies.push(batch(this.#sending));
    }
    if (this.#gaveUp || this.#failures || !this.#server.relay(bodies)) {
      this.#say("lost", "the server could not be reached: reports are lost");
    }
  }

  /** The page may go away. What is sent twice is recorded once. */
  hide() {
    if (this.#isEmpty) return;
    const reports = [];
    let bytes = 0;
    for (const report of [...this.#sending, ...this.#waiting]) {
      bytes += report.size + 1;
      if (bytes > KEEPALIVE_BYTES) break;
      reports.push(report);
    }
    if (!reports.length) return;
    this.#server.request("/webhook/batch", { body: batch(reports), keepalive: true }).catch(() => {
      /* `#run` has them still */
    });
  }

  #say(topic, text) {
    if (this.#said.has(topic)) return;
    this.#said.add(topic);
    try {
      this.#warn(`agent-task-tracker: ${text}`);
    } catch {
      /* the job's own function, which must not fail the job */
    }
  }
}

/** One set of listeners, however many trackers there are. */
function watchTheEnd() {
  if (senders.size) return;
  if (inPage) {
    const hide = () => senders.forEach((sender) => sender.hide());
    globalThis.addEventListener("pagehide", hide);
  } else if (typeof process?.on === "function") {
    process.on("beforeExit", () => senders.forEach((sender) => void sender.drain()));
    process.on("exit", () => senders.forEach((sender) => sender.exit()));
  }
}

/** Run by `node -e`: the key comes by standard input, which no process list shows. */
const RELAY = `const {url,headers,bodies}=JSON.parse(require("fs").readFileSync(0,"utf8"));
(async()=>{for(const body of bodies){
const answer=await fetch(url,{method:"POST",headers,body,redirect:"error"});
if(!answer.ok)throw answer.status;}})().catch(()=>process.exit(1));`;

/** An address and a key; the key goes into a header, and nowhere else. */
class Server {
  #headers;

  constructor(url, apiKey, timeout) {
    this.base = address(url ?? environment("TRACKER_URL") ?? origin());
    this.timeout = timeout;
    const key = apiKey ?? environment("API_KEY");
    if (!key) throw new ClientError("there is no API key: give apiKey, or set API_KEY");
    if (!/^[\x21-\x7e]+$/.test(key)) throw new ClientError("the API key has characters that none has");
    this.#headers = { "X-API-Key": key };
  }

  /** The answer, whatever its status. Rejects if there is none. */
  async request(path, { body, key, signal, keepalive, method, stream } = /** @type {any} */ ({})) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(() => stop.abort(new Unreachable("no answer in time")), this.timeout);
    try {
      const answer = await fetch(`${this.base}${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(key === undefined ? {} : { "Idempotency-Key": key }),
        },
        body,
        keepalive,
        signal: stop.signal,
        redirect: "error", // the key is for this server alone
        credentials: "omit",
        cache: "no-store",
      });
      if (stream) return answer;
      const bytes = await answer.arrayBuffer(); // within the time
      const { status, headers } = answer;
      return new Response([204, 205, 304].includes(status) ? null : bytes, { status, headers });
    } finally {
      clearTimeout(timer);
      if (!stream) signal?.removeEventListener("abort", abort);
    }
  }

  /** Send `bodies` from a child, and wait for it; whether all were taken. */
  relay(bodies) {
    const { execPath } = process;
    // Any other program is the job itself, made an executable.
    if (!/(^|[\\/])(node|nodejs|bun)(\.exe)?$/.test(execPath ?? "")) return false;
    const headers = { ...this.#headers, "Content-Type": "application/json" };
    try {
      const { spawnSync } = process.getBuiltinModule("node:child_process");
      const done = spawnSync(execPath, ["-e", RELAY], {
        input: JSON.stringify({ url: `${this.base}/webhook/batch`, headers, bodies }),
        env: { ...process.env, NODE_OPTIONS: "" },
        stdio: ["pipe", "ignore", "ignore"],
        timeout: EXIT_MS,
        windowsHide: true,
      });
      return done.status === 0;
    } catch {
      return false; // an older Node, or one that may start nothing (`--permission`)
    }
  }
}

/** Asks, waits and throws: `Refused` by the server's answer, `Unreachable` without one. */
export class Client {
  #server;
  #patience;

  constructor(options = {}) {
    const { url, apiKey, timeout = 10, patience = 10 } = options;
    this.#server = new Server(url, apiKey, timeout * 1000);
    this.#patience = patience * 1000;
  }

  start(fields) {
    return this.#post("start", fields);
  }
  status(fields) {
    return this.#post("status", { status: "running", ...fields });
  }
  finish(fields) {
    return this.#post("finish", fields);
  }
  error(fields) {
    return this.#post("error", fields);
  }

  projects(query = {}) {
    return this.#get("/api/projects", query);
  }
  /** Of a project; of all, where none is named. */
  tasks(project, query = {}) {
    return this.#get("/api/tasks", { ...query, project });
  }
  timeline(query = {}) {
    return this.#get("/api/timeline", query);
  }
  task(project, taskId) {
    return this.#get(`/api/projects/${segment(project)}/tasks/${segment(taskId)}`);
  }
  stats(project) {
    return this.#get(project === undefined ? "/api/stats" : `/api/stats/projects/${segment(project)}`);
  }
  sessions(query = {}) {
    return this.#get("/api/sessions", query);
  }
  search(q, query = {}) {
    return this.#get("/api/search", { ...query, q });
  }

  /** What the log has after `since`, up to its present end. */
  async *events({ since = 0, signal, ...query } = /** @type {any} */ ({})) {
    for (let more = true; more; ) {
      const page = await this.#get("/api/events", { ...query, since, limit: 1000 }, signal);
      if (page.resync_required && since) {
        const { oldest_id, last_id } = page;
        yield { type: "resync_required", data: { oldest_id, last_id } };
        since = 0;
        continue;
      }
      yield* page.events;
      more = page.has_more && page.last_id > since;
      since = page.last_id;
    }
  }

  /** Each event after `since` (left out: from now on) as it comes, for ever. */
  async *follow({ since, project, signal } = /** @type {any} */ ({})) {
    let cursor = since;
    if (cursor === undefined) {
      const end = await this.#get("/api/events", { since: LAST_EVENT, limit: 1 }, signal);
      cursor = end.last_id;
    }
    const started = Date.now();
    let wasThere = false;
    for (let failures = 0; ; ) {
      const stop = new AbortController();
      const abort = () => stop.abort(signal.reason);
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort);
      let answer = /** @type {any} */ (null);
      try {
        const path = `/api/events/stream${search({ since: cursor, project })}`;
        answer = await this.#server.request(path, { signal: stop.signal, stream: true });
        if (answer.status === 200) {
          wasThere = true;
          for await (const message of messages(answer.body, stop)) {
            failures = 0;
            cursor = message.id ?? 0; // after a resync: from the oldest, if that breaks off
            yield message;
          }
        } else if (!isPassing(answer.status)) {
          throw await refusal(answer);
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Refused) throw error;
        if (!wasThere && Date.now() - started > this.#patience) throw unreachable();
      } finally {
        signal?.removeEventListener("abort", abort);
        stop.abort();
      }
      failures += 1;
      await sleep(pauseAfter(failures, answer), signal);
    }
  }

  #post(kind, fields) {
    const body = JSON.stringify(fields);
    return this.#ask(`/webhook/${kind}`, { body, key: random() });
  }

  #get(path, query = {}, signal = undefined) {
    return this.#ask(path + search(query), { signal });
  }

  async #ask(path, options) {
    const end = Date.now() + this.#patience;
    for (let failures = 1; ; failures += 1) {
      let answer = /** @type {any} */ (null);
      try {
        answer = await this.#server.request(path, options);
      } catch {
        options.signal?.throwIfAborted();
      }
      if (answer?.ok) return answer.json();
      if (answer && !isPassing(answer.status)) throw await refusal(answer);
      const pause = pauseAfter(failures, answer);
      if (Date.now() + pause > end) throw answer ? await refusal(answer) : unreachable();
      await sleep(pause, options.signal);
    }
  }
}

/** The messages of a stream of server-sent events. `stop` ends it when it has been silent. */
async function* messages(body, stop) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => stop.abort(), SILENT_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      if (lines.length) yield JSON.parse(lines.map((line) => line.slice(5)).join("\n"));
    }
  }
}

/** Whether it is worth trying again. */
function isPassing(status) {
  return status === 408 || status === 429 || status >= 500;
}

async function refusal(answer) {
  const body = await answer.json().catch(() => null); // not of our server: its status says enough
  return new Refused(answer.status, body?.error);
}

function unreachable() {
  return new Unreachable("the server cannot be reached");
}

function pauseAfter(failures, answer) {
  const told = Number(answer?.headers.get("Retry-After") ?? NaN);
  if (told >= 0) return Math.max(Math.min(told, MOST_RETRY_AFTER_S) * 1000, GATHER_MS);
  const pause = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(failures, 10));
  return pause * (0.5 + Math.random() / 2);
}

/** Milliseconds between requests, so that those that the server still allows last: `RateLimit`. */
function spacing(answer) {
  const told = /;r=(\d+);t=(\d+)/.exec(answer.headers.get("RateLimit") ?? "");
  if (!told || Number(told[1]) > 50) return GATHER_MS;
  return Math.min(LONGEST_PAUSE_MS, (Number(told[2]) * 1000) / (Number(told[1]) + 1));
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve(undefined);
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

function batch(reports) {
  return `{"reports":[${reports.map(({ text }) => text).join(",")}]}`;
}

/** What the server takes: texts as long as it allows. */
function bounded(fields) {
  const cutting = Object.entries(LIMITS).filter(([name]) => fields[name] != null);
  return { ...fields, ...Object.fromEntries(cutting.map(([name, most]) => [name, cut(fields[name], most)])) };
}

function cut(value, most) {
  const text = words(value);
  const part = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return /** @type {any} */ (part).toWellFormed?.() ?? part;
}

/** Reading a field may run the job's own code, and throw. */
function copied(fields) {
  try {
    return { ...fields };
  } catch {
    return {};
  }
}

/** Some values cannot be made text. */
function words(value) {
  try {
    return String(value);
  } catch {
    return "(no text)";
  }
}

function failure(error) {
  try {
    const { name, message, stack } = Object(error);
    const isError = typeof message === "string";
    return {
      error_type: cut((isError && name) || "Error", 255),
      error_message: cut((isError ? message : error) || "failed", RESULT),
      stack_trace: stack ? cut(stack, STACK) : undefined,
    };
  } catch {
    return { error_type: "Error", error_message: "failed" };
  }
}

function present(options) {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value != null));
}

function printable(text) {
  return words(text).slice(0, 300).replace(/[\p{Cc}\p{Cf}]/gu, " ");
}

function search(query) {
  return `?${new URLSearchParams(/** @type {any} */ (present(query)))}`;
}

function segment(name) {
  if ([".", "..", ""].includes(name)) throw new ClientError("no path can carry this name");
  return encodeURIComponent(name);
}

/** Also where a page has no `crypto.randomUUID`, as it has none over plain HTTP. */
function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function environment(name) {
  try {
    return process?.env?.[name] || undefined;
  } catch {
    return undefined; // Deno allows no look at it
  }
}

function lastPart(path) {
  return path.split(/[\\/]/).filter(Boolean).at(-1);
}

function folder() {
  try {
    return lastPart(process.cwd()) ?? "javascript";
  } catch {
    return globalThis.location?.hostname || "javascript";
  }
}

function program() {
  try {
    return lastPart(process.argv[1]) ?? "javascript";
  } catch {
    return "javascript";
  }
}

/** The server that this module came from, else the usual one of this machine. */
function origin() {
  const here = import.meta.url;
  return here.startsWith("http") ? new URL(".", here).href : "http://127.0.0.1:8000";
}

function address(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new ClientError("the server's address is no URL");
  }
  if (!["http:", "https:"].includes(url.protocol)) throw new ClientError("the address has to be http or https");
  if (url.username || url.password || url.search || url.hash) {
    throw new ClientError("the address must have no key, query or fragment");
  }
  return url.href.replace(/\/+$/, "");
}
