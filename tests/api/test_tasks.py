"""A project's tasks: the page, its filters and order; one task; deleting one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clocked import ClockedServer

PATH = "/api/projects/p/tasks"


@pytest.fixture(scope="module")
def five() -> Iterator[ClockedServer]:
    """Five tasks of the project p, and one of the same name elsewhere."""
    server = ClockedServer()
    at = server.clock.set

    at("2024-01-10T08:00:00")
    server.report("start", "p", "a", task="Echo", agent="alice", metadata={"k": 1})
    at("2024-01-10T09:00:00")
    server.report("finish", "p", "a", task="Echo", agent="alice", result="done")
    at("2024-01-11T00:00:00")
    server.report("start", "p", "b", task="alpha", agent="bob")
    at("2024-01-11T23:59:59.999")
    server.report("error", "p", "b", task="alpha", agent="bob", stack_trace="trace")
    at("2024-01-12T00:00:00")
    server.report("start", "p", "c", task="Delta", agent="alice")
    at("2024-01-12T12:00:00")
    server.report("status", "p", "d", task="Бета", agent="bob", status="pending")
    at("2024-01-13T10:00:30")
    server.report("finish", "p", "e", task="Charlie", agent="alice", duration_seconds=30)
    at("2024-01-14T00:00:00")
    server.report("status", "p", "c", task="Delta", agent="alice", progress=12.5, message="m")
    server.report("start", "elsewhere", "a", agent="alice")
    yield server
    server.stop()


def ids(answer: dict[str, Any]) -> str:
    return "".join(task["task_id"] for task in answer["tasks"])


def test_unknown_project(five: ClockedServer) -> None:
    answer = five.http.get("/api/projects/unknown/tasks")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_project_without_tasks(clocked: ClockedServer) -> None:
    clocked.report("start", "p")
    clocked.http.delete(f"{PATH}/task-1")
    nothing = {"tasks": [], "total": 0, "limit": 20, "offset": 0, "filters": {}}
    assert clocked.get(PATH) == nothing


def test_fields(five: ClockedServer) -> None:
    assert five.get(PATH, limit=1, offset=4) == {
        "tasks": [
            {
                "id": 1,
                "task_id": "a",
                "title": "Echo",
                "status": "completed",
                "progress": 100,
                "agent": "alice",
                "started_at": "2024-01-10T08:00:00.000Z",
                "finished_at": "2024-01-10T09:00:00.000Z",
                "duration_seconds": 3600,
                "result": "done",
                "metadata": {"k": 1},
                "attempt": 1,
                "message": None,
                "error_type": None,
                "error_message": None,
                "created_at": "2024-01-10T08:00:00.000Z",
                "updated_at": "2024-01-10T09:00:00.000Z",
                "session": None,
                "parent_task_id": None,
                "attention": None,
                "attention_since": None,
                "requests": [],
                "stale_after_seconds": None,
                "metadata_truncated": False,
                "truncated": False,
                "reported_at": "2024-01-10T09:00:00.000Z",
                "silent_since": None,
                "acknowledged_at": None,
                "snoozed_until": None,
                "overdue": False,
                "blocked": False,
                "usage": None,
            }
        ],
        "total": 5,
        "limit": 1,
        "offset": 4,
        "filters": {},
    }


def test_fields_of_a_task_that_runs(five: ClockedServer) -> None:
    (task,) = five.get(PATH, status="running")["tasks"]
    assert (task["progress"], task["message"]) == (12.5, "m")
    assert [task[name] for name in ("finished_at", "duration_seconds", "result")] == [None] * 3


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "edcba"),
        ({"status": "pending"}, "d"),
        ({"status": "running"}, "c"),
        ({"status": "completed"}, "ea"),
        ({"status": "failed"}, "b"),
        ({"agent": "alice"}, "eca"),
        ({"agent": "bob"}, "db"),
        ({"agent": "Alice"}, "eca"),
        ({"agent": "' OR 1=1 --"}, ""),
        ({"agent": "alice", "status": "completed"}, "ea"),
        ({"agent": "bob", "status": "completed"}, ""),
        # Started at or after.
        ({"date_from": "2024-01-12"}, "edc"),
        ({"date_from": "2024-01-12T00:00:00"}, "edc"),
        ({"date_from": "2024-01-12T00:00:00Z"}, "edc"),
        ({"date_from": "2024-01-12T00:00:00.001Z"}, "ed"),
        ({"date_from": "2024-01-12T03:00:00+03:00"}, "edc"),
        ({"date_from": "2024-01-12T03:00:00.001+03:00"}, "ed"),
        ({"date_from": "2024-01-11T19:00:00-05:00"}, "edc"),
        ({"date_from": "20240112"}, "edc"),
        ({"date_from": "0001-01-01"}, "edcba"),
        ({"date_from": "9999-12-31"}, ""),
        # A task that is never seen but finished started its duration ago.
        ({"date_from": "2024-01-13T10:00:00Z"}, "e"),
        # Ended at or before; a bare date means its whole day. What has not ended did not.
        ({"date_to": "2024-01-13"}, "eba"),
        ({"date_to": "2024-01-11"}, "ba"),
        ({"date_to": "20240111"}, "ba"),
        ({"date_to": "2024-01-11T23:59:59.999Z"}, "ba"),
        ({"date_to": "2024-01-11T23:59:59.998Z"}, "a"),
        ({"date_to": "2024-01-11T00:00:00Z"}, "a"),
        ({"date_to": "2024-01-12T02:59:59.999+03:00"}, "ba"),
        ({"date_to": "2024-01-09"}, ""),
        ({"date_to": "9999-12-31"}, "eba"),
        ({"date_from": "2024-01-11", "date_to": "2024-01-11"}, "b"),
        ({"date_from": "2024-01-13", "date_to": "2024-01-10"}, ""),
        ({"agent": "alice", "status": "completed", "date_from": "2024-01-11"}, "e"),
    ],
    ids=str,
)
def test_filters(five: ClockedServer, filters: dict[str, str], expected: str) -> None:
    answer = five.get(PATH, **filters)
    assert ids(answer) == expected
    assert answer["total"] == len(expected)
    assert answer["filters"] == filters
    if expected:  # the total is that of all pages
        assert five.get(PATH, **filters, limit=1)["total"] == len(expected)


def test_plus_that_was_not_encoded(five: ClockedServer) -> None:
    answer = five.http.get(f"{PATH}?date_from=2024-01-12T03:00:00+03:00")
    assert ids(answer.json()) == "edc"


@pytest.mark.parametrize(
    ("sort_by", "ascending"),
    [
        ("started_at", "abcde"),
        ("finished_at", "abecd"),
        ("updated_at", "abdec"),
        ("duration_seconds", "eabcd"),
        ("title", "ecabd"),
    ],
)
def test_order(five: ClockedServer, sort_by: str, ascending: str) -> None:
    """Those without a value come last, either way."""
    valueless = "cd" if sort_by in ("finished_at", "duration_seconds") else ""
    valued = ascending.removesuffix(valueless)
    assert ids(five.get(PATH, sort_by=sort_by, sort_order="asc")) == ascending
    descending = valued[::-1] + valueless[::-1]
    assert ids(five.get(PATH, sort_by=sort_by, sort_order="desc")) == descending
    assert ids(five.get(PATH, sort_by=sort_by)) == descending


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "x"),
        ("offset", "-1"),
        ("status", "done"),
        ("sort_by", "progress"),
        ("sort_by", "started_at DESC"),
        ("sort_order", "up"),
        ("q", "x" * 1001),
        *(
            (parameter, wrong)
            for parameter in ("date_from", "date_to")
            for wrong in (
                "yesterday",
                "2024-13-01",
                "2024-02-30",
                "2024-01",
                "2024-W03",
                "2024-W03-1",
                "15.01.2024",
                "1705312800",
                "2024-01-15T25:00:00",
                "2024-01-15T10:00:00+99:00",
                "2024-01-15Tnoon",
                "10000-01-01",
            )
        ),
    ],
)
def test_bad_parameters(five: ClockedServer, parameter: str, wrong: str) -> None:
    answer = five.http.get(PATH, params={parameter: wrong})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["field"] == parameter
    if parameter.startswith("date_"):
        assert error["details"]["issue"].startswith("expected a date or time like 2024-01-15")


def test_bad_parameters_are_all_listed(five: ClockedServer) -> None:
    answer = five.http.get(PATH, params={"limit": "0", "status": "done", "date_to": "x"})
    errors = answer.json()["error"]["details"]["errors"]
    assert [error["field"] for error in errors] == ["status", "date_to", "limit"]


def test_unknown_parameters_are_ignored(five: ClockedServer) -> None:
    answer = five.get(PATH, priority="high", statuses="done")
    assert (ids(answer), answer["filters"]) == ("edcba", {})


def test_last_of_a_repeated_parameter_counts(five: ClockedServer) -> None:
    answer = five.http.get(f"{PATH}?status=failed&status=pending").json()
    assert (ids(answer), answer["filters"]) == ("d", {"status": "pending"})


# One task.


def test_one_task(five: ClockedServer) -> None:
    (listed,) = five.get(PATH, status="failed")["tasks"]
    task = five.get(f"{PATH}/b")
    events = task.pop("events")
    assert task == {**listed, "project": "p", "stack_trace": "trace", "usage_total": None}
    assert (task["error_type"], task["error_message"]) == ("E", "failed")
    wanted = five.get("/api/events", project="p", task_id="b")["events"]
    assert events == wanted
    assert [event["type"] for event in events] == ["task_started", "task_error"]


@pytest.mark.parametrize("path", ["p/tasks/unknown", "unknown/tasks/a"])
def test_unknown_task(five: ClockedServer, path: str) -> None:
    for method in ("GET", "DELETE"):
        answer = five.http.request(method, f"/api/projects/{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_delete(clocked: ClockedServer) -> None:
    for task in ("a", "b"):
        clocked.report("start", "p", task)
        clocked.report("finish", "p", task)
    answer = clocked.http.delete(f"{PATH}/a")
    assert (answer.status_code, answer.content) == (204, b"")
    assert clocked.http.get(f"{PATH}/a").status_code == 404
    assert ids(clocked.get(PATH)) == "b"
    assert [event["id"] for event in clocked.get("/api/events")["events"]] == [3, 4, 5]
    assert clocked.get("/api/stats/projects/p")["task_stats"]["total"] == 1
    assert clocked.http.delete(f"{PATH}/a").status_code == 404
