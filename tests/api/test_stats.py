"""`/api/stats` and `/api/stats/projects/{project_name}` (docs/contract.md, "Statistics")."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import document
from tests.support.clocked import ClockedServer

NOTHING = {
    "input_tokens": 0,
    "output_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "cost_usd": 0,
    "estimated_cost_usd": 0,
}
NO_USAGE = {**NOTHING, "models": []}


def finish(server: ClockedServer, project: str, task_id: str, seconds: float, **rest: Any) -> None:
    answer = server.report("finish", project, task_id, duration_seconds=seconds, **rest)
    assert answer.status_code == 200


def test_before_the_first_report(clocked: ClockedServer) -> None:
    assert clocked.get("/api/stats") == {
        "overview": {
            "total_projects": 0,
            "total_tasks": 0,
            "active_tasks": 0,
            "completed_tasks": 0,
            "failed_tasks": 0,
        },
        "performance": {
            "average_duration": 0,
            "success_rate": 0.0,
            "finished_success_rate": 0.0,
            "total_duration": 0,
        },
        "agents": [],
        "recent_activity": [],
        "usage": NO_USAGE,
    }


def test_all_figures(clocked: ClockedServer) -> None:
    finish(clocked, "a", "1", 10.5, agent="alice")
    finish(clocked, "b", "1", 20, agent="bob")
    clocked.report("start", "a", "2", agent="alice")
    clocked.report("status", "a", "3", agent="alice", status="pending")
    clocked.report("start", "b", "2", agent="bob")
    clocked.clock.advance(seconds=30)
    clocked.report("error", "b", "2", agent="bob")
    assert clocked.get("/api/stats") == {
        "overview": {
            "total_projects": 2,
            "total_tasks": 5,
            "active_tasks": 2,
            "completed_tasks": 2,
            "failed_tasks": 1,
        },
        "performance": {
            "average_duration": 20.167,  # of the three that ended: 60.5 s
            "success_rate": 40.0,
            "finished_success_rate": 66.7,
            "total_duration": 60.5,
        },
        "agents": [
            {
                "name": "alice",
                "task_count": 3,
                "success_rate": 33.3,
                "finished_success_rate": 100.0,
                "average_duration": 10.5,
                "usage": NOTHING,
            },
            {
                "name": "bob",
                "task_count": 2,
                "success_rate": 50.0,
                "finished_success_rate": 50.0,
                "average_duration": 25.0,
                "usage": NOTHING,
            },
        ],
        "recent_activity": [
            {
                "project": project,
                "task_id": task_id,
                "status": status,
                "timestamp": f"2024-01-15T10:00:{second}.000Z",
            }
            for project, task_id, status, second in (
                ("b", "2", "failed", "30"),
                ("b", "2", "running", "00"),
                ("a", "3", "pending", "00"),
                ("a", "2", "running", "00"),
                ("b", "1", "completed", "00"),
                ("a", "1", "completed", "00"),
            )
        ],
        "usage": NO_USAGE,
    }


def test_figures_of_the_document(clocked: ClockedServer) -> None:
    """12 of 15 → 80.0: the rate is over all tasks, not over those that ended."""
    expected = document.response("GET /api/stats/projects/{project_name}")
    project = expected["project"]
    (day,) = expected["timeline"]
    counts = expected["task_stats"]
    clocked.clock.set("2024-01-14T12:00:00")  # the rest ended on the day before
    for number in range(counts["completed"] - day["completed"]):
        finish(clocked, project, f"early-{number}", 1800)
    clocked.report("start", project, "failed")
    clocked.clock.advance(seconds=1800)
    clocked.report("error", project, "failed")
    clocked.clock.set(f"{day['date']}T12:00:00")
    for number in range(day["completed"]):
        finish(clocked, project, f"late-{number}", 1800)
    for number in range(counts["running"]):
        clocked.report("start", project, f"running-{number}")

    actual = clocked.get(f"/api/stats/projects/{project}", days=1)
    assert actual["task_stats"].pop("pending") == 0
    assert actual["performance"].pop("finished_success_rate") == 92.3
    assert actual.pop("usage") == {**NO_USAGE, "days": []}
    assert actual == expected


def test_agent_of_the_document(clocked: ClockedServer) -> None:
    (expected,) = document.response("GET /api/stats")["agents"]
    completed = round(expected["task_count"] * expected["success_rate"] / 100)
    for number in range(expected["task_count"]):
        if number < completed:
            finish(clocked, "p", f"{number}", 2100, agent=expected["name"])
        else:
            clocked.report("start", "p", f"{number}", agent=expected["name"])
    (agent,) = clocked.get("/api/stats")["agents"]
    assert agent == {**expected, "finished_success_rate": 100.0, "usage": NOTHING}


def test_project_figures_are_its_own(clocked: ClockedServer) -> None:
    finish(clocked, "p", "1", 10)
    clocked.report("status", "p", "2", status="pending")
    clocked.report("error", "other", "1")
    assert clocked.get("/api/stats/projects/p") == {
        "project": "p",
        "task_stats": {"total": 2, "completed": 1, "running": 0, "failed": 0, "pending": 1},
        "performance": {
            "average_duration": 10.0,
            "success_rate": 50.0,
            "finished_success_rate": 100.0,
        },
        "timeline": [{"date": "2024-01-15", "completed": 1, "failed": 0}],
        "usage": {**NO_USAGE, "days": []},
    }


def test_project_without_tasks(clocked: ClockedServer) -> None:
    clocked.report("finish", "p")
    clocked.http.delete("/api/projects/p/tasks/task-1")
    assert clocked.get("/api/stats/projects/p") == {
        "project": "p",
        "task_stats": {"total": 0, "completed": 0, "running": 0, "failed": 0, "pending": 0},
        "performance": {"average_duration": 0, "success_rate": 0.0, "finished_success_rate": 0.0},
        "timeline": [],
        "usage": {**NO_USAGE, "days": []},
    }


def test_agents_with_the_most_tasks_first(clocked: ClockedServer) -> None:
    for number, agent in enumerate(["b", "c", "c", "a"]):
        clocked.report("start", "p", f"{number}", agent=agent)
    assert [agent["name"] for agent in clocked.get("/api/stats")["agents"]] == ["c", "a", "b"]


def test_recent_activity_is_the_ten_newest_reports(clocked: ClockedServer) -> None:
    for number in range(12):
        clocked.report("start", "p", f"task-{number}")
        clocked.clock.advance(seconds=1)
    clocked.report("status", "p", "task-0", status="pending")
    recent = clocked.get("/api/stats")["recent_activity"]
    assert [entry["task_id"] for entry in recent] == [
        "task-0",
        *(f"task-{number}" for number in range(11, 2, -1)),
    ]
    assert recent[0]["status"] == "pending"
    assert recent[0]["timestamp"] == "2024-01-15T10:00:12.000Z"


def test_timeline(clocked: ClockedServer) -> None:
    def days(**params: int) -> list[tuple[str, int, int]]:
        timeline = clocked.get("/api/stats/projects/p", **params)["timeline"]
        return [(day["date"], day["completed"], day["failed"]) for day in timeline]

    at = clocked.clock.set
    at("2023-12-31T23:59:59.999")  # days are UTC's
    clocked.report("start", "p", "never ends")
    clocked.report("finish", "p", "1")
    at("2024-01-01T00:00:00")
    clocked.report("finish", "p", "2")
    clocked.report("error", "p", "3")
    at("2024-02-29T12:00:00")
    clocked.report("error", "p", "4")
    clocked.report("finish", "other", "1")
    expected = [("2023-12-31", 1, 0), ("2024-01-01", 1, 1), ("2024-02-29", 0, 1)]
    assert days() == expected
    assert days(days=2) == expected[1:]
    assert days(days=1) == expected[2:]
    at("2024-03-01T00:00:00")
    clocked.report("finish", "p", "3")  # ends anew: it moves to this day
    assert days() == [*expected[:1], ("2024-01-01", 1, 0), expected[2], ("2024-03-01", 1, 0)]
    clocked.report("start", "p", "4")  # has not ended any more
    assert days() == [*expected[:1], ("2024-01-01", 1, 0), ("2024-03-01", 1, 0)]
    clocked.http.delete("/api/projects/p/tasks/1")
    assert days() == [("2024-01-01", 1, 0), ("2024-03-01", 1, 0)]


def test_timeline_has_thirty_days_by_default(clocked: ClockedServer) -> None:
    for number in range(32):
        clocked.report("finish", "p", f"{number}")
        clocked.clock.advance(days=1)
    timeline = clocked.get("/api/stats/projects/p")["timeline"]
    assert [day["date"] for day in (timeline[0], timeline[-1])] == ["2024-01-17", "2024-02-15"]
    assert len(timeline) == 30
    assert len(clocked.get("/api/stats/projects/p", days=3660)["timeline"]) == 32


@pytest.mark.parametrize("days", ["0", "-1", "3661", "x"])
def test_bad_days(clocked: ClockedServer, days: str) -> None:
    clocked.report("start", "p")
    answer = clocked.http.get("/api/stats/projects/p", params={"days": days})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "days"


def test_unknown_project(clocked: ClockedServer) -> None:
    answer = clocked.http.get("/api/stats/projects/unknown")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"
