"""Payloads made to cost much: what is read of one, and what is remembered, has limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tracker.agents import claude_code
from tracker.agents.receiving import receive
from tracker.agents.texts import first_line, within
from tracker.domain.hooks import Interpreted, State
from tracker.domain.limits import MAX_BODY_BYTES

NOW = 1_800_000_000_000
HUGE = "x" * MAX_BODY_BYTES


def hear(
    event: str, known: State | None = None, agent: str = "claude-code", **payload: Any
) -> Interpreted:
    content = {"session_id": "s", "hook_event_name": event, **payload}
    return receive(agent, content, {}).interpret(known, "s", "p", "", NOW)


def test_a_summary_that_does_not_end_is_looked_for_once() -> None:
    """Once for each place where one begins would take hours."""
    opened = "<summary>" * (MAX_BODY_BYTES // 9)
    (start,) = hear("UserPromptSubmit", prompt=f"<task-notification>{opened}").reports
    assert start.title.startswith("<task-notification><summary>")
    closed = "<task-notification><summary>Built it</summary></task-notification>"
    (start,) = hear("UserPromptSubmit", prompt=closed).reports
    assert start.title == "Built it"


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("PostToolBatch", {"tool_calls": [{"tool_use_id": str(n)} for n in range(5000)]}),
        ("Stop", {"background_tasks": [{"id": str(n)} for n in range(5000)]}),
    ],
)
def test_so_many_items_of_a_list_are_read(event: str, payload: Mapping[str, Any]) -> None:
    reading = claude_code.read({"session_id": "s", "hook_event_name": event, **payload})
    assert 0 < len(reading.steps) <= 200


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("PreToolUse", {"tool_name": "Bash", "tool_use_id": HUGE}),
        ("PreToolUse", {"tool_name": "Task", "tool_input": {"subagent_type": HUGE}}),
        ("Stop", {"last_assistant_message": HUGE, "background_tasks": [{"id": "b"}]}),
    ],
)
def test_little_is_remembered_of_a_huge_payload(event: str, payload: Mapping[str, Any]) -> None:
    begun = hear("UserPromptSubmit", prompt="x")
    after = hear(event, begun.state, **payload)
    assert len(json.dumps(after.state)) < 16_000


def test_a_call_with_a_huge_id_comes_to_its_end() -> None:
    tool = {"tool_name": "Bash", "tool_use_id": HUGE, "tool_input": {"command": "make"}}
    begun = hear("PreToolUse", **tool)
    assert begun.busy
    assert not hear("PostToolUse", begun.state, **tool).busy


def test_so_many_calls_are_remembered_of_all_tasks_together() -> None:
    state: State | None = None
    for number in range(600):
        call = {"tool_use_id": f"{number}-{'x' * 240}", "tool_input": {"n": number}}
        of = {"agent_id": f"a{number % 30}", "agent_type": "Explore"}
        state = hear("PreToolUse", state, tool_name="Bash", **call, **of).state
    assert state is not None
    calls = [call for task in state["open"].values() for call in task["calls"]]
    assert len(calls) == 200
    assert any(call.startswith("599-") for call in calls)


def test_so_much_text_is_remembered_of_all_tasks_together() -> None:
    state: State | None = None
    for number in range(30):
        of = {"conversation_id": "s", "generation_id": f"g{number}"}
        for told in (
            {"hook_event_name": "beforeSubmitPrompt", "prompt": "x"},
            {"hook_event_name": "preToolUse", "tool_name": "x", "tool_use_id": f"t{number}"},
            {"hook_event_name": "afterAgentResponse", "text": HUGE},
        ):
            payload = receive("cursor", {**of, **told}, {})
            state = payload.interpret(state, "s", "p", "", NOW).state
    assert state is not None
    replies = [task["reply"] for task in state["open"].values()]
    assert sum(map(len, replies)) <= 100_000
    assert len(replies[-1]) == 10_000


def test_arguments_that_nest_too_deeply_are_a_text() -> None:
    """orjson reads them, and does not write them."""
    deep = "[" * 900 + "]" * 900
    asked = {"toolName": "x", "toolResult": {"resultType": "success"}, "toolArgs": deep}
    payload = receive("copilot", {"sessionId": "s", **asked}, {})
    said = payload.interpret(None, "s", "p", "", NOW).reports
    assert [report.message for report in said] == [None, "x"]


def test_a_first_line_and_a_path_of_any_size() -> None:
    assert first_line("\n \r\n  a b \nc") == "a b"
    assert first_line("\n" * MAX_BODY_BYTES) == ""
    assert first_line("a" * 5000) == "a" * 199 + "…"
    assert within("/a/b", "/a") == "b"
    assert within("/a" + "/b" * 5000, "/a") == "/a" + "/b" * 5000


def test_sessions_that_an_agent_counts_are_of_one_host() -> None:
    payload = {"session_id": "20261127_1", "event": "SessionStart"}
    assert receive("goose", payload, {"host": "one"}).session == "20261127_1@one"
    assert receive("goose", payload, {}).session == "20261127_1"
    assert receive("codex", payload, {"host": "one"}).session == "20261127_1"
