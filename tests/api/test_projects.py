"""`/api/projects`: the list, its order and pages, and deleting a project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.server import Server, quote


@pytest.fixture(scope="module")
def three() -> Iterator[ClockedServer]:
    """Projects made in the order b, a, c, and last reported to in the order c, b, a."""
    server = ClockedServer()
    for name in ("b", "a", "c", "c", "b", "a"):
        server.report("status", name)
        server.clock.advance(seconds=60)
    yield server
    server.stop()


def names(answer: dict[str, Any]) -> str:
    return "".join(project["name"] for project in answer["projects"])


def test_empty(clocked: ClockedServer) -> None:
    assert clocked.get("/api/projects") == {"projects": [], "total": 0, "limit": 50, "offset": 0}


def test_fields(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "running")
    clocked.report("status", "p", "pending", status="pending")
    clocked.report("finish", "p", "completed")
    clocked.clock.advance(seconds=1.5)
    clocked.report("error", "p", "failed")
    assert clocked.get("/api/projects")["projects"] == [
        {
            "id": 1,
            "name": "p",
            "created_at": "2024-01-15T10:00:00.000Z",
            "updated_at": "2024-01-15T10:00:01.500Z",
            "task_count": 4,
            "active_tasks": 2,
            "completed_tasks": 1,
            "failed_tasks": 1,
        }
    ]


def test_activity_is_told_if_asked_for(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "running")
    for _ in range(3):
        clocked.report("finish", "p", f"completed {clocked.clock.now_ms()}")
        clocked.report("error", "p", f"failed {clocked.clock.now_ms()}")
        clocked.clock.advance(seconds=86_400)
    clocked.report("start", "q")
    answer = clocked.get("/api/projects", activity_days=2, sort_by="name", sort_order="asc")
    assert [project["activity"] for project in answer["projects"]] == [
        [{"date": f"2024-01-{day}", "completed": 1, "failed": 1} for day in (16, 17)],
        [],
    ]
    assert "activity" not in clocked.get("/api/projects", activity_days=0)["projects"][0]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "abc"),
        ({"sort_by": "updated_at"}, "abc"),
        ({"sort_order": "asc"}, "cba"),
        ({"sort_by": "created_at"}, "cab"),
        ({"sort_by": "created_at", "sort_order": "asc"}, "bac"),
        ({"sort_by": "name"}, "cba"),
        ({"sort_by": "name", "sort_order": "asc"}, "abc"),
    ],
    ids=str,
)
def test_order(three: ClockedServer, params: dict[str, str], expected: str) -> None:
    assert names(three.get("/api/projects", **params)) == expected


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(1, 0, "a"), (1, 2, "c"), (2, 1, "bc"), (500, 0, "abc"), (50, 3, ""), (50, 2**63 - 1, "")],
)
def test_pages(three: ClockedServer, limit: int, offset: int, expected: str) -> None:
    answer = three.get("/api/projects", limit=limit, offset=offset)
    assert names(answer) == expected
    assert (answer["total"], answer["limit"], answer["offset"]) == (3, limit, offset)


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "-1"),
        ("limit", "many"),
        ("limit", "1.5"),
        ("activity_days", "-1"),
        ("activity_days", "101"),
        ("offset", "-1"),
        ("offset", "x"),
        ("offset", str(2**63)),
        ("offset", str(10**40)),
        ("sort_by", "id"),
        ("sort_by", "name; DROP TABLE projects"),
        ("sort_order", "descending"),
        ("sort_order", "DESC"),
    ],
)
def test_bad_parameters(three: ClockedServer, parameter: str, wrong: str) -> None:
    answer = three.http.get("/api/projects", params={parameter: wrong})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["field"] == parameter


def test_unknown_parameters_are_ignored(three: ClockedServer) -> None:
    assert names(three.get("/api/projects", page=2, name="a")) == "abc"


def test_delete(clocked: ClockedServer) -> None:
    for project in ("gone", "kept"):
        for task in ("1", "2"):
            clocked.report("start", project, task)
            clocked.report("finish", project, task)
    answer = clocked.http.delete("/api/projects/gone")
    assert (answer.status_code, answer.content) == (204, b"")
    assert names(clocked.get("/api/projects")) == "kept"
    for path in ("tasks", "tasks/1"):
        assert clocked.http.get(f"/api/projects/gone/{path}").status_code == 404
    assert clocked.http.get("/api/stats/projects/gone").status_code == 404
    events = clocked.get("/api/events")["events"]
    assert [(event["id"], event["data"]["project"]) for event in events] == [
        *((id_, "kept") for id_ in (5, 6, 7, 8)),
        (9, "gone"),
    ]
    assert clocked.get("/api/stats")["overview"]["total_tasks"] == 2
    assert clocked.http.delete("/api/projects/gone").status_code == 404


def test_delete_of_what_is_not_there(clocked: ClockedServer) -> None:
    answer = clocked.http.delete(f"/api/projects/{quote('no such')}")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "NOT_FOUND"
    assert "'no such'" in error["message"]


def test_one_project_is_as_in_the_list(server: Server) -> None:
    server.report("finish", "org/repo")
    server.report("start", "other")
    listed = server.http.get("/api/projects", params={"activity_days": 3}).json()["projects"]
    url = f"/api/projects/{quote('org/repo')}"
    assert server.http.get(url, params={"activity_days": 3}).json() == listed[1]
    assert "activity" not in server.http.get(url).json()
    assert server.http.get("/api/projects/none").status_code == 404
    assert server.http.get(url, params={"activity_days": 101}).status_code == 422


@pytest.mark.parametrize("event_id", ["0", "3", "-1", "01", "1.0", "x", "9" * 30, "9" * 16, "%00"])
def test_one_event_is_as_in_the_log(server: Server, event_id: str) -> None:
    server.report("start", "p")
    server.report("finish", "p")
    events = server.http.get("/api/events").json()["events"]
    one, two = (server.http.get(f"/api/events/{event['id']}").json() for event in events)
    assert [one, two] == events
    missing = server.http.get(f"/api/events/{event_id}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")
