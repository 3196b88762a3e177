"""`/api/sessions`, and tasks by session."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clocked import ClockedServer

PATH = "/api/sessions"


def names(answer: dict[str, Any]) -> list[str]:
    return [session["session"] for session in answer["sessions"]]


def test_fields(clocked: ClockedServer) -> None:
    assert clocked.get(PATH) == {"sessions": [], "total": 0, "limit": 50, "offset": 0}
    clocked.report("start", "p", "t", agent="main", session="s", usage={"cost_usd": 0.5})
    clocked.clock.advance(seconds=5)
    clocked.report("status", "p", "t", agent="main", progress=5)
    answer = clocked.get(PATH, limit=1)
    (session,) = answer.pop("sessions")
    assert answer == {"total": 1, "limit": 1, "offset": 0}
    (line,) = session.pop("active")
    assert session.pop("last_task") == line
    assert (line["project"], line["task_id"], line["progress"]) == ("p", "t", 5)
    assert session == {
        "project": "p",
        "session": "s",
        "agent": "main",
        "host": None,
        "first_report_at": "2024-01-15T10:00:00.000Z",
        "last_report_at": "2024-01-15T10:00:05.000Z",
        "state": "working",
        "tasks": {"total": 1, "completed": 0, "running": 1, "failed": 0, "pending": 0},
        "usage": {
            **dict.fromkeys(("input_tokens", "output_tokens"), 0),
            **dict.fromkeys(("cache_read_tokens", "cache_write_tokens"), 0),
            **{"cost_usd": 0.5, "estimated_cost_usd": 0},
        },
    }


def test_states(clocked: ClockedServer) -> None:
    def state() -> str:
        (session,) = clocked.get(PATH)["sessions"]
        return str(session["state"])

    clocked.report("start", "p", "t", session="s")
    assert state() == "working"
    clocked.report("status", "p", "t", attention="Allow?")
    assert state() == "waiting"
    clocked.report("finish", "p", "t")
    assert state() == "ended"


def test_filters(clocked: ClockedServer) -> None:
    for project, session, kind in (("p", "a", "start"), ("p", "b", "finish"), ("q", "c", "start")):
        clocked.report(kind, project, f"task of {session}", session=session)
        clocked.clock.advance(seconds=1)
    assert names(clocked.get(PATH)) == ["c", "b", "a"]
    assert names(clocked.get(PATH, project="p")) == ["b", "a"]
    assert names(clocked.get(PATH, active="true")) == ["c", "a"]
    assert names(clocked.get(PATH, active="0", project="p")) == ["b"]
    assert names(clocked.get(PATH, project="never seen")) == []
    assert names(clocked.get(f"{PATH}?project=&active=")) == ["c", "b", "a"]
    tasks = clocked.get("/api/projects/p/tasks", session="a")
    assert [task["task_id"] for task in tasks["tasks"]] == ["task of a"]
    assert (tasks["total"], tasks["filters"]) == (1, {"session": "a"})


def test_unchanged(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "t", session="s")
    etag = clocked.http.get(PATH).headers["ETag"]
    assert clocked.http.get(PATH, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    ("name", "value"), [("active", "perhaps"), ("limit", "0"), ("limit", "501"), ("offset", "-1")]
)
def test_bad_parameters(clocked: ClockedServer, name: str, value: str) -> None:
    answer = clocked.http.get(PATH, params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == name
