"""Measure what a day of agents that are plugged in leaves in a database, and what reading it takes.

The method is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import heapq
import http.client
import itertools
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import _venv  # noqa: F401 - goes on in .venv
import apsw
from _environment import ROOT, SetupError, run_script
from _load import KEY
from _machine import cores, workspace
from _report import Report, Table, percentile, progress, run
from _servers import Server, tracker

from tracker.agents.receiving import receive
from tracker.clock import MS_PER_DAY, SystemClock
from tracker.domain.hooks import HookRequest
from tracker.domain.idempotency import LATE_LIFETIME_MS, Idempotency
from tracker.domain.principal import ALL_PROJECTS
from tracker.store.changes import OnWrite
from tracker.store.sqlite import hooks, pruning, search
from tracker.store.sqlite.connection import open_writer

AGENT = "claude-code"
SESSIONS = ROOT / "tests" / "data" / "agents" / AGENT
PROJECTS = 5

# Seconds from one to the next, of each agent; how long a sub-agent and a tool work, and how long
# before the next prompt a turn ends.
PROMPT, TOOL, SUBAGENT = 300, 8, 900
_OF_SUBAGENT, _OF_TOOL, _REST = 60, 3, 10

# The day is over for longer than messages are kept.
DAYS_AGO = 15

READS = {
    "GET /api/now": "/api/now",
    "GET /api/sessions": "/api/sessions",
    "GET a project's tasks": "/api/projects/app-0/tasks",
    "GET a project's figures": "/api/stats/projects/app-0",
}
TABLES = ("tasks", "events", "agent_sessions", "hook_sessions", "idempotency")

# Payloads of one transaction, and seconds that pruning may take.
_AT_ONCE = 5000
_PRUNED_WITHIN = 300.0

_IS_PRUNED = "SELECT messages_pruned >= (SELECT max(id) FROM events) FROM marks"
_SIZE_OF_KEYS = """
  SELECT sum(pgsize) FROM dbstat WHERE name IN ('idempotency', 'idempotency_by_age')
"""

Payload = dict[str, Any]


class Recorded(NamedTuple):
    """What was recorded, by the names of events; `tools`: each as it began and as it ended."""

    events: dict[str, Payload]
    tools: list[tuple[Payload, Payload]]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--requests", type=int, default=300, help="of each kind")
    return parser


def measure(options: argparse.Namespace) -> Report:
    """Write the day, then read it with all its messages, and without them."""
    report = Report()
    size = Table("", ("Database", *TABLES, "MB in use", "of it the keys"))
    latency = Table("", ("Request, p50 ms", "with all messages", "after pruning"))
    measured: dict[str, list[list[float]]] = {name: [] for name in READS}
    with workspace() as folder:
        database = folder / "tracker.db"
        progress(f"writing the day of {options.agents} agents")
        started = time.monotonic()
        payloads = build(database, options.agents, options.hours)
        seconds = time.monotonic() - started
        for what, flags in (("all messages", ("--keep-messages", "0")), ("pruned", ())):
            progress(what)
            with tracker(folder, cores().server, *flags) as server:
                if not flags:
                    wait_for_pruning(database)
                server.settle()
                for name, path in READS.items():
                    measured[name].append(ask(server, path, options.requests))
            size.rows.append([what, *rows_of(database)])
    for name, taken in measured.items():
        latency.rows.append([name, *(f"{percentile(each, 50):.2f}" for each in taken)])
    whole = Table("", ("A day", "payloads", "a second when written", "tasks a payload"))
    tasks = int(size.rows[0][1].replace(",", ""))
    whole.rows.append(
        [
            f"{options.agents} agents, {options.hours:g} h",
            *(f"{payloads:,}", f"{payloads / seconds:,.0f}", f"{tasks / payloads:.3f}"),
        ]
    )
    report.tables += [whole, size, latency]
    report.measured += [{"request": name, "ms": of} for name, of in measured.items()]
    report.measured += [dict(zip(size.header, row, strict=True)) for row in size.rows]
    return report


def build(path: Path, agents: int, hours: float) -> int:
    """Write the day as its payloads come, each at its own time; how many there were."""
    begin = SystemClock().now_ms() - DAYS_AGO * MS_PER_DAY
    days = (day_of(number, hours, recorded()) for number in range(agents))
    count = 0
    with closing(open_writer(path, "normal")) as connection:
        connection.pragma("synchronous", "off")
        connection.execute("BEGIN IMMEDIATE")
        for seconds, _, payload in heapq.merge(*days, key=lambda each: each[:2]):
            now = begin + round(seconds * 1000)
            read = receive(AGENT, payload, {"at": now, "host": "desk"})
            key = Idempotency((0, str(uuid.uuid4())), b"%16d" % count, LATE_LIFETIME_MS)
            request = HookRequest(read, ALL_PROJECTS, key)
            hooks.record(connection, now, [request], OnWrite())
            count += 1
            if count % _AT_ONCE == 0:
                _next_transaction(connection)
        last = int(connection.execute("SELECT max(id) FROM events").get)
        while not search.index_some(connection, last, _AT_ONCE):
            _next_transaction(connection)
        while not search.index_some_by_project(connection, _AT_ONCE):
            _next_transaction(connection)
        connection.execute("COMMIT")
        connection.pragma("wal_checkpoint(truncate)")
    return count


def _next_transaction(connection: apsw.Connection) -> None:
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")


def recorded() -> Recorded:
    """The payloads of all recorded sessions."""
    events: dict[str, Payload] = {}
    begun: dict[tuple[str, str], Payload] = {}
    tools = []
    for path in sorted(SESSIONS.glob("*/[0-9]*.json")):
        payload = json.loads(path.read_text(encoding="utf-8"))
        event, call = payload["hook_event_name"], payload.get("tool_use_id", "")
        if payload.get("tool_name") in ("Agent", "AskUserQuestion", "ExitPlanMode"):
            continue
        if event == "PreToolUse":
            begun[path.parent.name, call] = payload
        elif event == "PostToolUse" and (path.parent.name, call) in begun:
            tools.append((begun[path.parent.name, call], payload))
        events.setdefault(event, payload)
    return Recorded(events, tools)


def day_of(agent: int, hours: float, of: Recorded) -> Iterator[tuple[float, int, Payload]]:
    """An agent's payloads, with seconds since the day began."""
    session, number = f"session-{agent}", itertools.count()
    common = {"session_id": session, "cwd": f"/home/you/app-{agent % PROJECTS}"}
    shift = agent * PROMPT / 7 % PROMPT  # they do not all begin at once
    tools = itertools.cycle(of.tools[agent % len(of.tools) :] + of.tools[: agent % len(of.tools)])

    def at(seconds: float, event: Payload, **changes: Any) -> tuple[float, int, Payload]:
        own = {key: value for key, value in event.items() if not key.startswith("agent_")}
        return shift + seconds, agent, {**own, **common, **changes}

    yield at(0, of.events["SessionStart"])
    end = hours * 3600
    for turn in range(int(end // PROMPT)):
        begin = turn * PROMPT
        prompt = {"prompt_id": f"{session}-{turn}"}
        yield at(begin, of.events["UserPromptSubmit"], **prompt)
        has_subagent = begin % SUBAGENT == 0
        who = {"agent_id": f"{session}-sub-{turn}", "agent_type": "Explore"}
        if has_subagent:
            yield at(begin + 1, of.events["SubagentStart"], **prompt, **who)
        for seconds in range(TOOL, PROMPT - _REST, TOOL):
            doer = who if has_subagent and seconds < _OF_SUBAGENT else {}
            call = {"tool_use_id": f"{session}-call-{next(number)}", **prompt, **doer}
            before, after = next(tools)
            yield at(begin + seconds, before, **call)
            yield at(begin + seconds + _OF_TOOL, after, **call)
            if has_subagent and seconds < _OF_SUBAGENT <= seconds + TOOL:
                yield at(begin + _OF_SUBAGENT, of.events["SubagentStop"], **prompt, **who)
        yield at(begin + PROMPT - _REST / 2, of.events["Stop"], **prompt, background_tasks=[])
    yield at(end, of.events["SessionEnd"])


def rows_of(database: Path) -> list[str]:
    """The numbers of rows, and the size, once no server has the database."""
    with closing(apsw.Connection(str(database))) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {table}").get for table in TABLES]
        sizes = [pruning.size(connection), connection.execute(_SIZE_OF_KEYS).get]
    return [*(f"{count:,}" for count in counts), *(f"{size / 1e6:,.1f}" for size in sizes)]


def wait_for_pruning(database: Path) -> None:
    """Until the server has looked at the whole log. Raises SetupError."""
    deadline = time.monotonic() + _PRUNED_WITHIN
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        looked = partial(connection.execute, _IS_PRUNED)
        while not looked().get:
            if time.monotonic() > deadline:
                raise SetupError("The messages were not pruned in time.")
            time.sleep(0.5)


def ask(server: Server, path: str, requests: int) -> list[float]:
    """Milliseconds until each answer, one request at a time."""
    host, _, port = server.url.rpartition("/")[2].partition(":")
    taken = []
    with closing(http.client.HTTPConnection(host, int(port))) as connection:
        for _ in range(requests):
            started = time.perf_counter()
            connection.request("GET", quote(path), headers={"X-API-Key": KEY})
            answer = connection.getresponse()
            told = answer.read()
            taken.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise SetupError(f"{path}: {answer.status} {told[:200]!r}")
    return taken


if __name__ == "__main__":
    run_script(lambda: run(arguments(), measure))
