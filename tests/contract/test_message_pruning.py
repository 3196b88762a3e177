"""What agents that are plugged in told between a task's start and its end, and lets go."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.access import only
from tests.support.bench import EVERYTHING, Bench, report
from tests.support.cli import run_here
from tests.support.exported import contents
from tests.support.figures import recount
from tracker.agents.receiving import receive
from tracker.domain.audit import Action, AuditQuery
from tracker.domain.hooks import HookRequest
from tracker.domain.limits import MAX_INTEGER
from tracker.domain.principal import ALL_PROJECTS
from tracker.domain.queries import RetentionPolicy

KEPT: Final = RetentionPolicy(message_days=14)
BASH: Final = {"tool_name": "Bash", "tool_input": {"command": "make"}}


class Session:
    """Claude Code's, in the project `app`; a second passes with each of its payloads."""

    def __init__(self, bench: Bench, name: str = "s") -> None:
        self._bench = bench
        self._name = name
        self._calls = 0

    def hear(self, event: str, **payload: Any) -> None:
        self._bench.clock.advance(seconds=1)
        content = {"session_id": self._name, "cwd": "/home/you/app", "hook_event_name": event}
        read = receive("claude-code", {**content, "prompt_id": "p", **payload}, {})
        self._bench.run(self._bench.engine.hear(HookRequest(read, ALL_PROJECTS, None), 100))

    def begin(self, prompt: str = "p") -> None:
        self.hear("UserPromptSubmit", prompt_id=prompt, prompt="Mend the build")

    def use_tools(self, count: int) -> None:
        for _ in range(count):
            self._calls += 1
            call = {"tool_use_id": f"call-{self._calls}"}
            command = {"tool_input": {"command": f"make {self._calls}"}}
            self.hear("PreToolUse", **BASH | command | call)
            self.hear("PostToolUse", **BASH | command | call)

    def end(self) -> None:
        self.hear("Stop", last_assistant_message="Done")


def told(bench: Bench, task_id: str = "s/p", project: str = "app") -> list[str]:
    """Types of the task's events, and whether each was a request for attention."""
    types = []
    for event in bench.task(project, task_id).events:
        waits = b'"attention":' in event.data
        types.append(event.type.removeprefix("task_") + (" waiting" if waits else ""))
    return types


def noted(bench: Bench) -> Counter[str]:
    """How much the audit log says was pruned of what."""
    noted: Counter[str] = Counter()
    for entry in bench.run(bench.engine.audit(AuditQuery(10, MAX_INTEGER, Action.PRUNED))).entries:
        noted[entry.deed.subject] += entry.times
    return noted


def until(bench: Bench, *expected: str, task_id: str = "s/p") -> None:
    bench.wait_for(lambda: told(bench, task_id) == [*expected], f"{expected}")


def test_messages_go_once_their_task_has_ended_long_ago(lasting: Bench) -> None:
    bench, old, late, runs = lasting, Session(lasting), Session(lasting, "t"), Session(lasting, "u")
    old.begin()
    runs.begin()
    runs.use_tools(2)
    old.use_tools(3)
    late.begin()
    late.use_tools(2)
    bench.record(
        report("start", session="w"), report("status", message="By webhook"), report("finish")
    )
    old.end()
    bench.clock.advance(days=1)
    late.end()
    first, *_ = bench.log()
    before = bench.task("app", "s/p")
    assert told(bench) == ["started", *["status_updated"] * 3, "finished"]
    bench.clock.advance(days=13, seconds=60)
    bench.reopen(KEPT)
    until(bench, "started", "finished")
    bench.wait_for(lambda: noted(bench) == {"messages": 3}, "the audit log")
    assert bench.heard.forgets > 0
    assert told(bench, "t/p") == ["started", *["status_updated"] * 2, "finished"]
    assert told(bench, "u/p") == ["started", *["status_updated"] * 2]
    assert told(bench, "task-1", "project") == ["started", "status_updated", "finished"]
    assert bench.task("app", "s/p")._replace(events=[]) == before._replace(events=[])
    recount(bench)
    page = bench.run(bench.engine.events(only(), first.id, EVERYTHING, 100))
    assert page.bounds.pruned == 0
    assert page.bounds.covers(first.id)  # what is left tells such a reader all that became
    bench.clock.advance(days=1)
    bench.reopen(KEPT)
    until(bench, "started", "finished", task_id="t/p")
    bench.wait_for(lambda: noted(bench) == {"messages": 5}, "the audit log")


def test_requests_for_attention_stay_with_their_answers(lasting: Bench) -> None:
    bench, session = lasting, Session(lasting)
    session.begin()
    session.use_tools(1)
    session.hear("PreToolUse", tool_use_id="asks", **BASH)
    session.hear("PermissionRequest", **BASH)
    session.hear("PostToolUse", tool_use_id="asks", **BASH)
    session.use_tools(2)
    session.end()
    waiting = "status_updated waiting"
    assert waiting in told(bench)
    asked = told(bench).index(waiting)
    assert told(bench)[asked:] == [waiting, *["status_updated"] * 3, "finished"]
    bench.clock.advance(days=15)
    bench.reopen(KEPT)
    until(bench, "started", waiting, "status_updated", "finished")


@pytest.mark.parametrize("count", [23, 24, 25, 49, 130])
def test_however_many_messages_a_task_has_and_how_little_time_there_is(
    lasting: Bench, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, session, other = lasting, Session(lasting), Session(lasting, "t")
    session.begin()
    other.begin()
    for _ in range(count):
        session.use_tools(1)
        other.use_tools(1)
    other.end()
    session.end()
    bench.clock.advance(days=15)
    steps = itertools.count()  # of more time than one transaction may take
    monkeypatch.setattr(bench.clock, "monotonic", lambda: next(steps) * 0.02)
    bench.reopen(KEPT)
    until(bench, "started", "finished")
    until(bench, "started", "finished", task_id="t/p")
    assert len(bench.log()) == 4


def test_a_task_that_goes_on_is_looked_at_again(lasting: Bench) -> None:
    bench, session = lasting, Session(lasting)
    session.begin()
    session.use_tools(2)
    session.end()
    bench.clock.advance(days=10)
    named = {"session": "s", "agent": "claude-code"}
    bench.record(report("start", "app", "s/p", **named))
    bench.record(report("status", "app", "s/p", message="Again", **named))
    session.begin("q")
    session.use_tools(1)
    session.hear("Stop", prompt_id="q")
    bench.clock.advance(days=15)
    bench.reopen(KEPT)
    until(bench, "started", "finished", task_id="s/q")
    assert told(bench) == [
        *("started", "status_updated", "status_updated", "finished"),
        *("started", "status_updated"),
    ]
    bench.record(report("finish", "app", "s/p", **named))
    bench.clock.advance(days=15)
    bench.reopen(KEPT)
    bench.wait_for(lambda: "status_updated" not in told(bench), "its messages to go")
    assert bench.task("app", "s/p").summary.attempt == 2


def test_a_clock_that_was_wrong_stops_nothing(lasting: Bench) -> None:
    bench, session = lasting, Session(lasting)
    session.begin()
    session.use_tools(2)
    bench.clock.advance(days=900)
    bench.record(report("start"))
    bench.clock.advance(days=-900)
    session.end()
    bench.clock.advance(days=15)
    bench.reopen(KEPT)
    until(bench, "started", "finished")


def test_0_keeps_all(lasting: Bench) -> None:
    bench, session = lasting, Session(lasting)
    session.begin()
    session.use_tools(2)
    session.end()
    bench.record(report("finish", "old"))
    bench.clock.advance(days=400)
    bench.record(report("finish", "app", "s/p", agent="claude-code"))
    bench.reopen(RetentionPolicy(days=30))
    bench.wait_for(lambda: noted(bench) == {"tasks": 1}, "the task to be pruned")
    assert told(bench) == ["started", *["status_updated"] * 2, "finished", "finished"]


def test_what_is_left_is_sound_and_can_be_exported(lasting: Bench) -> None:
    bench, session = lasting, Session(lasting)
    session.begin()
    session.use_tools(30)
    session.end()
    session.hear("SessionEnd", reason="other")
    bench.clock.advance(days=15)
    bench.reopen(KEPT)
    until(bench, "started", "finished")
    (database, *_) = bench.engine.files
    bench.run(bench.engine.close())
    records, copy = (str(database.with_name(name)) for name in ("all.jsonl", "copy.db"))
    for command, of in (("export", database), ("import", copy)):
        done = run_here(command, records, "--db", str(of), home=database.parent)
        assert done.code == 0, done
    assert contents(Path(copy)) == contents(database)
    bench.reopen()
