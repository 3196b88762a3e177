"""Agents that are built with a framework, by their spans: `POST /v1/traces`."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.test_telemetry import export
from tests.support.keys import client_with, code_of, make_key
from tests.support.server import Server
from tests.support.telemetry import attributes
from tests.support.traces import export_of, span, used

RECORDED = Path(__file__).parents[1] / "data" / "traces"
NOW = time.time_ns() // 1_000_000 - 60_000
SHOWN = ("title", "agent", "status", "result", "message", "session", "parent_task_id", "error_type")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens")


def send(server: Server, project: str, *spans: Mapping[str, Any]) -> None:
    export(server, export_of(spans, project), "traces")


def shown(server: Server, project: str) -> dict[str, dict[str, Any]]:
    """By id, what a task says, and what it has used."""
    tasks = server.http.get("/api/tasks", params={"project": project, "limit": 500}).json()["tasks"]
    return {
        task["task_id"]: {
            **{name: task[name] for name in SHOWN},
            "used": task["usage"] and tuple(task["usage"][name] for name in TOKENS),
        }
        for task in tasks
    }


def at(began: int, ended: int) -> tuple[int, int]:
    return (NOW + began, NOW + ended)


def a_run() -> list[dict[str, Any]]:
    """Of an agent that asks another one by a tool, as its spans end."""
    planner = span("invoke_agent", "planner", at=at(0, 100), **used(1000, 70, 200))
    first = span("chat", "m", planner, at=at(1, 10), **used())
    tool = span("execute_tool", "ask", planner, at=at(11, 60))
    between = span("", "", tool, at=at(12, 59))
    helper = span("invoke_agent", "helper", between, at=at(13, 58), **used(1, 1, 0))
    inner = span("chat", "m", helper, at=at(14, 50), **used())
    again = span("chat", "m", planner, at=at(61, 90), **used())
    return [first, inner, helper, between, tool, again, planner]


def ids(spans: Iterable[Mapping[str, Any]], name: str) -> str:
    return next(one["spanId"] for one in spans if one["name"] == f"invoke_agent {name}")


def test_a_run_is_a_task_and_what_it_starts_is_below_it(server: Server) -> None:
    spans = a_run()
    send(server, "p", *spans)
    planner, helper = ids(spans, "planner"), ids(spans, "helper")
    tasks = shown(server, "p")
    assert tasks.keys() == {planner, helper}
    assert tasks[planner] == {
        **{"title": "planner", "agent": "planner", "status": "completed", "result": None},
        **{"message": "ask", "session": None, "parent_task_id": None, "error_type": None},
        "used": (160, 14, 40),  # of its calls: its own sums are the same once more
    }
    assert tasks[helper]["parent_task_id"] == planner
    assert tasks[helper]["used"] == (80, 7, 20)
    task = server.task("p", planner)
    assert task["duration_seconds"] == 0.1
    assert task["metadata"] == {"trace_id": spans[0]["traceId"], "framework": "a.framework"}


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, 6)), again=st.booleans())
def test_however_the_spans_are_sent_it_comes_to_the_same(
    shared_server: Server, cuts: set[int], again: bool
) -> None:
    spans, project = a_run(), f"p-{uuid.uuid4().hex}"
    edges = [0, *sorted(cuts), len(spans)]
    for begin, end in itertools.pairwise(edges):
        send(shared_server, project, *spans[begin:end])
        if again:
            send(shared_server, project, *spans[begin:end])
    whole = f"whole-{project}"
    other = a_run()
    send(shared_server, whole, *other)
    names = {one["spanId"]: two["spanId"] for one, two in zip(other, spans, strict=True)}
    expected = {
        names[id_]: {**task, "parent_task_id": names.get(task["parent_task_id"])}
        for id_, task in shown(shared_server, whole).items()
    }
    assert shown(shared_server, project) == expected


def test_a_call_that_ends_after_its_run_still_counts(server: Server) -> None:
    run = span("invoke_agent", "planner", at=at(0, 10))
    send(server, "p", run)
    send(server, "p", span("chat", "m", run, at=at(5, 20), **used()))
    (task,) = shown(server, "p").values()
    assert (task["status"], task["used"]) == ("completed", (80, 7, 20))


def test_usage_of_a_run_without_calls_is_its_own(server: Server) -> None:
    send(server, "p", span("invoke_workflow", "flow", at=at(0, 10), **used()))
    (task,) = shown(server, "p").values()
    assert (task["title"], task["agent"], task["used"]) == ("flow", "flow", (80, 7, 20))


def test_a_call_within_a_call_counts_once(server: Server) -> None:
    run = span("invoke_agent", "planner", at=at(0, 30))
    outer = span("chat", "m", run, at=at(1, 20), **used())
    inner = span("generate_content", "m", outer, at=at(2, 19), **used())
    send(server, "p", inner, outer, run)
    (task,) = shown(server, "p").values()
    assert task["used"] == (80, 7, 20)


def test_a_failure_has_its_stack_trace(server: Server) -> None:
    recorded = {
        "exception.type": "ValueError",
        "exception.message": "no such city",
        "exception.stacktrace": "Traceback…\n" + "x" * 30_000 + "\nValueError: no such city",
    }
    run = span("invoke_agent", "planner", at=at(0, 10), error=recorded)
    send(server, "p", run)
    task = server.task("p", run["spanId"])
    assert (task["status"], task["error_type"]) == ("failed", "ValueError")
    assert task["error_message"] == "no such city"
    assert task["stack_trace"].startswith("Traceback…")
    assert task["stack_trace"].endswith("ValueError: no such city")


def test_texts_are_told_where_they_are_sent(server: Server) -> None:
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Mend it\nall"}]}])
    answered = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Done."}]}])
    run = span(
        *("invoke_agent", "planner"),
        at=at(0, 10),
        gen_ai__input__messages=asked,
        gen_ai__output__messages=answered,
        gen_ai__conversation__id="c-1",
    )
    send(server, "p", run)
    (task,) = shown(server, "p").values()
    assert (task["title"], task["result"], task["session"]) == ("Mend it", "Done.", "c-1")


def test_what_is_of_no_agent_is_dropped_and_counted(server: Server) -> None:
    request = span("", at=at(0, 30))
    send(server, "web", request, span("", "", request, at=at(1, 20)))
    (line,) = server.http.get("/api/agents").json()["agents"]
    assert (line["agent"], line["payloads"]) == ("otlp", 2)
    assert server.http.get("/api/projects").json()["total"] == 0


def test_a_model_that_is_called_by_no_agent_is_no_task(server: Server) -> None:
    send(server, "web", span("chat", "m", at=at(0, 10), **used()))
    assert server.http.get("/api/projects").json()["total"] == 0
    assert server.http.get("/api/sessions").json()["total"] == 0


def test_a_program_that_nobody_has_named(server: Server) -> None:
    send(server, "unknown_service:python", span("invoke_agent", "planner", at=at(0, 10)))
    assert len(shown(server, "unnamed")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"parentSpanId": "00000000000000ff"},
        {"startTimeUnixNano": 0, "endTimeUnixNano": "0"},
        {"startTimeUnixNano": "99999999999999999999", "endTimeUnixNano": -5},
        {"name": "x" * 100_000, "attributes": []},
        {"attributes": [{"key": "gen_ai.agent.name", "value": {"stringValue": "\0" + "n" * 999}}]},
        {"attributes": attributes({"gen_ai.usage.input_tokens": "12"})},
        {"attributes": attributes({"input.value": "[" * 5000})},
        {"events": [{"name": "exception"}] * 500, "status": {"code": 2}},
        {"spanId": "", "traceId": ""},
        {"spanId": "zz", "status": None, "events": None, "attributes": None},
    ],
)
def test_whatever_a_span_says_it_is_taken(server: Server, change: dict[str, Any]) -> None:
    first = span("invoke_agent", "first", at=at(0, 10))
    odd = {**span("invoke_agent", "odd", first, at=at(1, 9)), **change}
    answer = server.http.post("/v1/traces", json=export_of([odd, first], "p"))
    assert answer.status_code == 200, answer.text
    assert "first" in {task["agent"] for task in shown(server, "p").values()}


def test_spans_within_each_other_are_bounded(server: Server) -> None:
    one = span("invoke_agent", "one", at=at(0, 10))
    two = span("invoke_agent", "two", one, at=at(0, 10))
    one["parentSpanId"] = two["spanId"]
    itself = span("chat", "m", one, at=at(0, 10), **used())
    itself["parentSpanId"] = itself["spanId"]
    chain: list[dict[str, Any]] = [span("invoke_agent", "top", at=at(0, 9000))]
    for depth in range(5000):
        chain.append(span("", "", chain[-1], at=at(1, 8999 - depth)))
    chain.append(span("invoke_agent", "deep", chain[-1], at=at(2, 5)))
    send(server, "p", one, two, itself, *chain)
    assert len(shown(server, "p")) == 4


def test_a_key_for_another_project_is_refused(server: Server) -> None:
    key = make_key(server, "one", "report", "mine")
    with client_with(server, key) as client:
        run = span("invoke_agent", "planner", at=at(0, 10))
        # Of a key for one project, that is the project, whatever the program says.
        assert client.post("/v1/traces", json=export_of([run], "theirs")).status_code == 200
    assert len(shown(server, "mine")) == 1
    both = make_key(server, "two", "report", "mine", "ours")
    with client_with(server, both) as client:
        other = span("invoke_agent", "planner", at=at(0, 10))
        refused = client.post("/v1/traces", json=export_of([other], "theirs"))
        assert code_of(refused) == (403, "FORBIDDEN")


RECORDINGS = {
    "pydantic-ai": {
        ("What is the weather in Oslo?", "planner", None): (200, 14, 40),
        ("Say the weather of Oslo", "helper", "planner"): (100, 7, 20),
    },
    "openai-agents": {
        ("What is the weather in Oslo?", "Agent workflow", None): None,
        ("What is the weather in Oslo?", "planner", "Agent workflow"): (200, 14, 40),
    },
    "langgraph": {("What is the weather in Oslo?", "planner", None): (200, 14, 40)},
    "smolagents": {("What is the weather in Oslo?", "planner", None): (360, 21, 0)},
}


@pytest.mark.parametrize("framework", RECORDINGS)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_frameworks_have_sent(server: Server, framework: str, at_once: bool) -> None:
    exports = json.loads((RECORDED / f"{framework}.json").read_text(encoding="utf-8"))
    sent: Sequence[Any] = exports
    if at_once:
        sent = [{"resourceSpans": [one for each in exports for one in each["resourceSpans"]]}]
    for one in sent:
        export(server, one, "traces")
    (project,) = server.http.get("/api/projects").json()["projects"]
    tasks = shown(server, project["name"])
    names = {id_: task["agent"] for id_, task in tasks.items()}
    assert {
        (task["title"], task["agent"], names.get(task["parent_task_id"])): task["used"]
        for task in tasks.values()
    } == RECORDINGS[framework]
    assert {(task["status"], task["result"]) for task in tasks.values()} == {
        ("completed", "Sunny.")
    }
