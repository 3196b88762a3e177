// agent-task-tracker: tells the tracker what opencode does. Made by `tracker connect opencode`;
// `tracker disconnect opencode` removes it. Changes are lost.
//
// Each event goes as JSON to a process of its own, one after the other, and nothing waits for it:
// opencode does what it does without this file.
import { spawn } from "node:child_process";

const COMMAND = ["tracker", "hook", "opencode"];

// Of all events those that say something: no parts of messages as they stream, no file watchers.
const TOLD = new Set([
  "session.created", "session.deleted", "session.idle", "session.error", "session.status",
  "session.compacted", "permission.asked", "permission.updated", "permission.replied",
  "question.asked", "question.replied", "question.rejected",
]);
const PATIENCE = 5000; // ms for one process before the next one starts
const FAREWELL = 1000; // ms that opencode's end waits for what is still queued
const LONGEST = 4000; // events that wait at most; a process takes some 40 ms

export const AgentTaskTracker = async ({ directory, worktree }) => {
  const queue = [];
  const told = new Map(); // session: what its last update said
  let running = false;
  let leaving = false;
  let whenEmpty = () => {};

  const start = (line, done) => {
    let timer;
    let open = true;
    const end = () => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      done();
    };
    try {
      const options = { stdio: ["pipe", "ignore", "ignore"], detached: true, windowsHide: true };
      const child = spawn(COMMAND[0], COMMAND.slice(1), options);
      child.on("error", end);
      child.on("close", end);
      child.stdin.on("error", () => {}); // it did not read all
      child.stdin.end(line);
      child.unref();
      timer = setTimeout(end, PATIENCE);
      timer.unref?.();
    } catch {
      end(); // no process can be started: the tracker misses something, opencode nothing
    }
  };

  const next = () => {
    if (queue.length === 0) {
      running = false;
      whenEmpty();
      return;
    }
    running = true;
    start(queue.shift(), next);
  };

  const tell = (hook, fields) => {
    if (leaving && hook !== "dispose") return;
    try {
      const at = new Date().toISOString();
      queue.push(JSON.stringify({ hook, at, ...fields, directory, worktree }));
    } catch {
      return; // nothing that JSON can say
    }
    if (queue.length > LONGEST) queue.shift();
    if (!running) next();
  };

  // Sessions and messages are updated again and again: only what is new in them is told.
  const news = (event) => {
    const properties = event.properties ?? {};
    const info = properties.info ?? {};
    if (event.type === "session.updated") {
      const said = JSON.stringify([info.title, info.parentID, info.cost, info.tokens]);
      if (told.get(info.id) === said) return false;
      told.set(info.id, said);
      return true;
    }
    if (event.type === "session.deleted") told.delete(info.id);
    if (event.type === "message.updated") {
      return info.role === "assistant" && Boolean(info.time?.completed || info.error);
    }
    if (event.type === "message.part.updated") {
      const part = properties.part ?? {};
      if (part.type === "text") return Boolean(part.time?.end); // what the agent has said is whole
      return part.type === "tool" && part.state?.status === "error";
    }
    return TOLD.has(event.type);
  };

  return {
    event: async ({ event }) => {
      if (event && news(event)) tell("event", { event });
    },
    "tool.execute.before": async (input, output) => {
      tell("tool.execute.before", { input, output: { args: output?.args } });
    },
    "tool.execute.after": async (input, output) => {
      tell("tool.execute.after", { input, output });
    },
    "chat.message": async (input, output) => {
      tell("chat.message", { input, output });
    },
    "permission.ask": async (input, output) => {
      tell("permission.ask", { input, output });
    },
    dispose: async () => {
      tell("dispose", {});
      leaving = true;
      await new Promise((resolve) => {
        const timer = setTimeout(() => {
          for (const line of queue.splice(0)) start(line, () => {});
          resolve();
        }, FAREWELL);
        whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
        if (!running) whenEmpty();
      });
    },
  };
};
