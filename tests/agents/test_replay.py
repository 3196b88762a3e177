"""Whole sessions of agents through the socket: recorded from the real programs, or made by hand
from what is known of their form (`made-`), and what must have come of them written beside them."""

from __future__ import annotations

import copy
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.replaying import EXPECTED, SCENARIOS, Replay, name_of
from tests.support.server import Server
from tracker.agents.receiving import READERS

WITH_TURNS = [one for one in SCENARIOS if one.parent.name in ("claude-code", "codex")]


def test_each_agent_has_a_session() -> None:
    assert {one.parent.name for one in SCENARIOS} == set(READERS)


def expected(scenario: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((scenario / EXPECTED).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_a_session_comes_to_its_tasks(shared_server: Server, scenario: Path) -> None:
    replay = Replay(shared_server, scenario)
    replay.play(key="k")
    assert replay.tasks() == expected(scenario)
    replay.play(key="k")
    assert replay.tasks() == expected(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_all_that_is_recorded_is_known(shared_server: Server, scenario: Path) -> None:
    Replay(shared_server, scenario).play()
    agents = {one["agent"]: one for one in shared_server.http.get("/api/agents").json()["agents"]}
    assert agents[scenario.parent.name]["unknown"] == {}


@pytest.mark.parametrize("scenario", WITH_TURNS, ids=name_of)
@pytest.mark.parametrize("seed", [1, 2])
def test_payloads_that_overtake_each_other_come_to_the_same(
    shared_server: Server, scenario: Path, seed: int
) -> None:
    """Up to the end of the session, of agents that name their turns; messages may be fewer."""
    replay = Replay(shared_server, scenario)
    order = list(range(len(replay.payloads)))
    random.Random(seed).shuffle(order)
    replay.play(order)
    shown = ("title", "status", "agent", "parent", "result")
    found = {tuple(task.get(name) for name in shown) for task in replay.tasks()}
    if scenario.name in SPLIT:
        return
    assert found == {tuple(task.get(name) for name in shown) for task in expected(scenario)}


# A turn that is woken by what it left in the background goes on only if that is heard in order,
# and a sub-agent is named only if its call is heard first.
SPLIT = {"background", "headless-subagent", "subagent"}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.just("x" * 300_000),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places_of(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(content, dict):
        for name, value in content.items():
            found += places_of(value, (*path, name))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            found += places_of(value, (*path, number))
    return found


@st.composite
def mutilated(draw: st.DrawFn, payload: dict[str, Any]) -> dict[str, Any]:
    payload = copy.deepcopy(payload)
    for _ in range(draw(st.integers(1, 3))):
        places = places_of(payload)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        of: Any = payload
        for one in way:
            of = of[one]
        what = draw(st.sampled_from(["delete", "replace", "cut"]))
        if what == "delete":
            del of[last]
        elif what == "cut" and isinstance(of[last], str):
            of[last] = of[last][: draw(st.integers(0, 10))]
        else:
            of[last] = draw(ODD)
    return payload


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_whatever_a_payload_has_become_its_session_goes_on(
    shared_server: Server, data: st.DataObject
) -> None:
    replay = Replay(shared_server, data.draw(st.sampled_from(SCENARIOS)))
    for number, payload in enumerate(replay.payloads):
        if data.draw(st.booleans()):
            answer = replay.send(number, data.draw(mutilated(payload)))
            assert answer.status_code in (200, 422), answer.text
            assert answer.status_code == 200 or answer.json()["error"]["code"] == "VALIDATION_ERROR"
    replay.play()
    assert shared_server.http.get("/api/sessions").status_code == 200
    turns = [task for task in replay.tasks() if "parent" not in task]
    assert len(turns) >= sum("parent" not in task for task in expected(replay.scenario))


def test_other_programs_that_run_claude_codes_hooks_are_told_of_once(server: Server) -> None:
    base = {"session_id": "s", "hook_event_name": "UserPromptSubmit", "prompt": "x", "cwd": "/a"}
    cursor = {**base, "cursor_version": "3.7.21", "conversation_id": "c"}
    copilot = {**base, "timestamp": "2026-11-27T10:00:00.000Z"}
    transcript = "/home/you/.copilot/session-state/0f2c/events.jsonl"
    for payload in (cursor, copilot, {**copilot, "transcript_path": transcript}):
        answer = server.http.post("/hooks/claude-code", json=payload)
        assert (answer.status_code, answer.json()["event_ids"]) == (200, [])
    assert server.http.get("/api/sessions").json()["sessions"] == []
    (agent,) = server.http.get("/api/agents").json()["agents"]
    assert (agent["payloads"], agent["sessions"], agent["unknown"]) == (3, 0, {})
    claudes = {**copilot, "transcript_path": "/home/you/.claude/projects/a/s.jsonl"}
    assert server.http.post("/hooks/claude-code", json=claudes).json()["event_ids"] != []


def test_the_end_of_opencode_ends_its_sessions_in_the_project(server: Server) -> None:
    process = {"boot_id": "another", "pid_namespace": "1", "pid": 7, "started": "1"}

    def tell(session: str, folder: str, hook: str = "chat.message") -> None:
        payload = {"hook": hook, "input": {"sessionID": session}, "directory": folder}
        payload["output"] = {"message": {"id": "m"}, "parts": [{"type": "text", "text": "Do"}]}
        if hook == "dispose":
            payload = {"hook": hook, "directory": folder}
        context = {"Tracker-Context": json.dumps(process)}
        answer = server.http.post("/hooks/opencode", json=payload, headers=context)
        assert answer.status_code == 200, answer.text

    tell("one", "/home/you/shop")
    tell("two", "/home/you/shop")
    tell("three", "/home/you/farm")
    tell("", "/home/you/shop", "dispose")
    statuses = {
        one["session"]: one["state"] for one in server.http.get("/api/sessions").json()["sessions"]
    }
    assert statuses == {"one": "ended", "two": "ended", "three": "working"}
    assert server.task("shop", "one/m")["error_type"] == "Interrupted"


class OpenCode:
    """Sends what its plugin would, so many seconds after the beginning."""

    def __init__(self, server: Server, name: str) -> None:
        self._http = server.http
        self._name = name

    def send(self, seconds: int, hook: str, **told: object) -> None:
        at = (datetime.now(UTC) - timedelta(seconds=60 - seconds)).isoformat()
        context = {"pid": 4, "started": self._name, "boot_id": "elsewhere", "pid_namespace": "1"}
        payload = {"hook": hook, "at": at, "directory": f"/home/you/{self._name}", **told}
        self._http.post(
            "/hooks/opencode", json=payload, headers={"Tracker-Context": json.dumps(context)}
        ).raise_for_status()

    def prompt(self, seconds: int) -> None:
        parts = {"parts": [{"type": "text", "text": "Look"}]}
        self.send(seconds, "chat.message", input={"sessionID": self._name}, output=parts)

    def say(self, seconds: int) -> None:
        part = {"type": "text", "text": "Found it.", "time": {"start": 1, "end": 2}}
        self._event(seconds, "message.part.updated", part=part)

    def idle(self, seconds: int) -> None:
        self._event(seconds, "session.idle")

    def _event(self, seconds: int, name: str, **told: object) -> None:
        event = {"type": name, "properties": {"sessionID": self._name, **told}}
        self.send(seconds, "event", event=event)

    def task(self) -> dict[str, Any]:
        (task,) = self._http.get(f"/api/projects/{self._name}/tasks").json()["tasks"]
        assert isinstance(task, dict)
        return task


def test_a_reply_that_comes_after_the_end_is_its_result(shared_server: Server) -> None:
    opencode = OpenCode(shared_server, "late-reply")
    opencode.prompt(0)
    opencode.idle(9)
    opencode.say(8)
    task = opencode.task()
    assert (task["status"], task["result"], task["attempt"]) == ("completed", "Found it.", 1)


def test_an_end_that_comes_after_its_process_has_ended_counts(shared_server: Server) -> None:
    opencode = OpenCode(shared_server, "late-end")
    opencode.prompt(0)
    opencode.say(8)
    opencode.send(10, "dispose")
    assert opencode.task()["error_type"] == "Interrupted"
    opencode.idle(9)
    task = opencode.task()
    assert (task["status"], task["result"], task["attempt"]) == ("completed", "Found it.", 1)
