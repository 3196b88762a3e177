/** What may be told of a task beside its title. What is left out comes from the environment. */
export interface TaskOptions {
  project?: string;
  agent?: string;
  session?: string;
  taskId?: string;
  parentTaskId?: string;
  staleAfterSeconds?: number;
  metadata?: Record<string, unknown>;
}

/** What an attempt has used so far, of one model. */
export interface Usage {
  model?: string;
  input_tokens?: number;
  output_tokens?: number;
  cost_usd?: number;
  [name: string]: unknown;
}

export interface TrackerOptions {
  /** `TRACKER_URL`, else the server that the module came from, else http://127.0.0.1:8000. */
  url?: string;
  /** `API_KEY`. */
  apiKey?: string;
  project?: string;
  agent?: string;
  session?: string;
  /** Told once of each reason why reports are dropped or wait; `console.warn`. */
  warn?: (text: string) => void;
}

export class Tracker {
  constructor(options?: TrackerOptions);
  task(title: string, options?: TaskOptions): Task;
  task<T>(title: string, body: (task: Task) => T | PromiseLike<T>): Promise<T>;
  task<T>(title: string, options: TaskOptions, body: (task: Task) => T | PromiseLike<T>): Promise<T>;
  flush(seconds?: number): Promise<boolean>;
}

export class Task {
  private constructor();
  readonly id: string;
  result?: string;
  start(): this;
  progress(percent: number, message?: string): this;
  message(text: string): this;
  usage(usage: Usage | Usage[]): this;
  attention(text: string, id: string): this;
  attended(id: string): this;
  tell(fields: Record<string, unknown>): this;
  finish(result?: string): this;
  fail(error: unknown): this;
}

export function task(title: string, options?: TaskOptions): Task;
export function task<T>(title: string, body: (task: Task) => T | PromiseLike<T>): Promise<T>;
export function task<T>(
  title: string,
  options: TaskOptions,
  body: (task: Task) => T | PromiseLike<T>,
): Promise<T>;
export function flush(seconds?: number): Promise<boolean>;

/** A report, by the API's names. */
export interface Report {
  project: string;
  task: string;
  task_id: string;
  agent: string;
  [name: string]: unknown;
}

/** An answer, as `/openapi.json` describes it. */
export type Answer = Record<string, any>;
export type Query = Record<string, string | number | boolean | null | undefined>;

/** Which tasks; times are in ISO 8601, or so long ago: `30m`, `2h`, `3d`. */
export interface TaskFilters {
  /** Or several with commas: `failed,running`. */
  status?: string;
  agent?: string;
  session?: string;
  date_from?: string;
  date_to?: string;
  q?: string;
  /** Under way then or later. */
  since?: string;
  model?: string;
  /** US dollars. */
  cost_min?: number;
  attention?: boolean;
  silent?: boolean;
  overdue?: boolean;
  attempt?: number;
  attempt_min?: number;
  parent?: string;
  title?: string;
  task_id?: string;
}
export interface TasksQuery extends TaskFilters {
  limit?: number;
  offset?: number;
  sort_by?: "started_at" | "finished_at" | "updated_at" | "duration_seconds" | "title";
  sort_order?: "asc" | "desc";
  figures?: boolean;
}
export interface TimelineQuery extends TaskFilters {
  from?: string;
  to?: string;
  bins?: number;
  project?: string;
}

/** An event, or a `resync_required`, which has no `id`. */
export interface Message {
  id?: number;
  type: string;
  data: Record<string, any>;
  timestamp?: string;
}

export interface ClientOptions {
  url?: string;
  apiKey?: string;
  /** Seconds to wait for one answer. */
  timeout?: number;
  /** Seconds to keep trying. */
  patience?: number;
}

export class Client {
  constructor(options?: ClientOptions);
  start(fields: Report): Promise<Answer>;
  status(fields: Report): Promise<Answer>;
  finish(fields: Report): Promise<Answer>;
  error(fields: Report & { error_type: string; error_message: string }): Promise<Answer>;
  projects(query?: Query): Promise<Answer>;
  tasks(project?: string, query?: TasksQuery & Query): Promise<Answer>;
  timeline(query?: TimelineQuery & Query): Promise<Answer>;
  task(project: string, taskId: string): Promise<Answer>;
  stats(project?: string): Promise<Answer>;
  sessions(query?: Query): Promise<Answer>;
  search(q: string, query?: Query): Promise<Answer>;
  events(options?: {
    since?: number;
    project?: string;
    task_id?: string;
    type?: string;
    signal?: AbortSignal;
  }): AsyncGenerator<Message, void>;
  follow(options?: {
    since?: number;
    project?: string;
    signal?: AbortSignal;
  }): AsyncGenerator<Message, never>;
}

export class ClientError extends Error {}
export class Refused extends ClientError {
  status: number;
  code: string | null;
  details: Record<string, any> | null;
}
export class Unreachable extends ClientError {}
