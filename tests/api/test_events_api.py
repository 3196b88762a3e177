"""`GET /api/events`: the log, page by page (docs/contract.md, "Events")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clocked import ClockedServer

KINDS = ("start", "status", "finish", "error")


@pytest.fixture(scope="module")
def sixteen() -> Iterator[ClockedServer]:
    """Four reports on each of the tasks 1 and 2 of the projects a and b: events 1 to 16."""
    server = ClockedServer()
    for project in "ab":
        for task_id in "12":
            for kind in KINDS:
                server.report(kind, project, task_id)
    yield server
    server.stop()


def ids(answer: dict[str, Any]) -> list[int]:
    return [event["id"] for event in answer["events"]]


def test_before_the_first_report(clocked: ClockedServer) -> None:
    answer = clocked.get("/api/events")
    assert (answer["events"], answer["last_id"], answer["has_more"]) == ([], 0, False)


def test_event_is_the_message(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "t", task="T", agent="a", metadata={"k": 1})
    assert clocked.get("/api/events")["events"] == [
        {
            "id": 1,
            "type": "task_started",
            "data": {
                "task_id": "t",
                "title": "T",
                "project": "p",
                "agent": "a",
                "status": "running",
                "progress": 0,
                "attempt": 1,
                "started_at": "2024-01-15T10:00:00.000Z",
                "metadata": {"k": 1},
            },
            "timestamp": "2024-01-15T10:00:00.000Z",
        }
    ]


def test_webhooks_reply_names_its_event(clocked: ClockedServer) -> None:
    for kind in KINDS:
        reply = clocked.report(kind, "p").json()
        (event,) = clocked.get("/api/events", since=reply["event_id"] - 1)["events"]
        assert event["id"] == reply["event_id"]
        assert event["timestamp"] == reply["timestamp"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, range(1, 17)),
        ({"since": 0}, range(1, 17)),
        ({"since": 1}, range(2, 17)),
        ({"since": 15}, [16]),
        ({"since": 16}, []),
        ({"project": "a"}, range(1, 9)),
        ({"project": "unknown"}, []),
        ({"task_id": "2"}, [*range(5, 9), *range(13, 17)]),
        ({"task_id": "unknown"}, []),
        ({"project": "b", "task_id": "1"}, range(9, 13)),
        ({"project": "unknown", "task_id": "1"}, []),
        ({"type": "task_started"}, [1, 5, 9, 13]),
        ({"type": "task_status_updated"}, [2, 6, 10, 14]),
        ({"type": "task_finished"}, [3, 7, 11, 15]),
        ({"type": "task_error"}, [4, 8, 12, 16]),
        ({"type": "task_error", "project": "a", "task_id": "1", "since": 3}, [4]),
        ({"type": "task_error", "project": "a", "task_id": "1", "since": 4}, []),
        ({"unknown": "x"}, range(1, 17)),
    ],
    ids=str,
)
def test_filters(sixteen: ClockedServer, params: dict[str, Any], expected: list[int]) -> None:
    answer = sixteen.get("/api/events", **params)
    assert ids(answer) == list(expected)
    # Whatever was filtered out need not be looked at again.
    assert (answer["last_id"], answer["has_more"]) == (16, False)


@pytest.mark.parametrize(
    ("params", "expected", "last_id", "has_more"),
    [
        ({"limit": 1}, [1], 1, True),
        ({"limit": 15}, range(1, 16), 15, True),
        ({"limit": 16}, range(1, 17), 16, False),
        ({"limit": 1000}, range(1, 17), 16, False),
        ({"limit": 3, "project": "b"}, [9, 10, 11], 11, True),
        ({"limit": 4, "type": "task_error"}, [4, 8, 12, 16], 16, False),
        ({"limit": 3, "type": "task_error"}, [4, 8, 12], 12, True),
        # The last one there is, but not the last of the log: nothing more, the cursor at the end.
        ({"limit": 8, "project": "a"}, range(1, 9), 16, False),
    ],
    ids=str,
)
def test_pages(
    sixteen: ClockedServer, params: dict[str, Any], expected: Any, last_id: int, has_more: bool
) -> None:
    answer = sixteen.get("/api/events", **params)
    assert ids(answer) == list(expected)
    assert (answer["last_id"], answer["has_more"]) == (last_id, has_more)


def test_hundred_by_default(clocked: ClockedServer) -> None:
    for _ in range(101):
        clocked.report("status", "p")
    page = clocked.get("/api/events")
    assert (len(page["events"]), page["last_id"], page["has_more"]) == (100, 100, True)


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("since", "-1"),
        ("since", "x"),
        ("since", "1.5"),
        ("since", str(2**63)),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "x"),
        ("type", "task"),
    ],
)
def test_bad_parameters(sixteen: ClockedServer, parameter: str, wrong: str) -> None:
    answer = sixteen.http.get("/api/events", params={parameter: wrong})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", parameter)


def test_cursor_of_another_database_is_told(sixteen: ClockedServer) -> None:
    for since, told in ((0, False), (16, False), (17, True), (2**63 - 1, True)):
        answer = sixteen.get("/api/events", since=since)
        assert answer["resync_required"] is told
    assert (answer["oldest_id"], answer["last_id"]) == (1, 16)


def test_deleted_events_leave_their_numbers(clocked: ClockedServer) -> None:
    for project in ("a", "b", "a"):
        clocked.report("start", project)
    clocked.http.delete("/api/projects/a")
    answer = clocked.get("/api/events")
    assert (ids(answer), answer["last_id"], answer["oldest_id"]) == ([2, 4], 4, 2)
    assert answer["resync_required"] is False
    clocked.http.delete("/api/projects/b")
    answer = clocked.get("/api/events", since=1)
    assert (ids(answer), answer["last_id"], answer["resync_required"]) == ([4, 5], 5, False)
    assert clocked.report("start", "a").json()["event_id"] == 6
