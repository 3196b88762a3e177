"""`/api/failures`. What is alike: tests/unit."""

from __future__ import annotations

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import Server
from tracker.domain import failures
from tracker.store.sqlite import failures as engine

PATH = "/api/failures"


@pytest.fixture
def failed(clocked: ClockedServer) -> ClockedServer:
    """Four failures, the first an hour before the others; one of another project."""
    for project, task, type_, message, agent in (
        ("p", "a", "Timeout", "no answer after 30 s", "x"),
        ("p", "b", "Timeout", "no answer after 4.5 s", "y"),
        ("p", "c", "Timeout", "refused", "y"),
        ("q", "d", "Timeout", "no answer after 30 s", "x"),
    ):
        fields = {"error_type": type_, "error_message": message, "agent": agent}
        clocked.report("error", project, task, **fields)
        clocked.clock.advance(seconds=3600 if task == "a" else 1)
    clocked.report("finish", "p", "fine")
    return clocked


def test_groups(failed: ClockedServer) -> None:
    answer = failed.get(PATH)
    assert (answer["total"], answer["complete"], answer["kinds"]) == (4, True, 3)
    assert answer["groups"][0] == {
        "project": "p",
        "error_type": "Timeout",
        "message": "no answer after <n> s",
        "example": "no answer after 4.5 s",
        "count": 2,
        "first_seen": "2024-01-15T10:00:00.000Z",
        "last_seen": "2024-01-15T11:00:00.000Z",
        "tasks": [
            {"task_id": "b", "agent": "y", "finished_at": "2024-01-15T11:00:00.000Z"},
            {"task_id": "a", "agent": "x", "finished_at": "2024-01-15T10:00:00.000Z"},
        ],
        "agents": [{"agent": "y", "count": 1}, {"agent": "x", "count": 1}],
    }
    assert failed.get(PATH, since="30m")["total"] == 3
    assert failed.get(PATH, since="2024-01-15T11:00:01Z")["total"] == 2
    assert failed.get(PATH, project="q")["total"] == 1
    assert failed.http.get(f"{PATH}?project=p&project=q").json()["total"] == 4
    etag = failed.http.get(PATH).headers["ETag"]
    assert failed.http.get(PATH, headers={"If-None-Match": etag}).status_code == 304


def test_a_status_may_fail_without_type_and_message(clocked: ClockedServer) -> None:
    clocked.report("status", "p", "a", status="failed")
    (group,) = clocked.get(PATH)["groups"]
    assert (group["error_type"], group["message"], group["example"]) == (None, "", None)


def test_what_is_past_the_bounds_is_told(
    failed: ClockedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_FAILURES", 3)
    monkeypatch.setattr(failures, "MAX_GROUPS", 1)
    answer = failed.get(PATH)
    assert (answer["total"], answer["complete"], answer["kinds"]) == (4, False, 3)
    assert [group["count"] for group in answer["groups"]] == [1]


def test_what_is_outside_a_keys_projects_does_not_exist(server: Server) -> None:
    for project in "pq":
        server.report("error", project, "t", error_type=f"Error of {project}", error_message="m")
    with client_with(server, make_key(server, "some", "read", "p")) as some:
        assert some.get(PATH).json()["total"] == 1
        assert "Error of q" not in some.get(PATH).text
        assert some.get(PATH, params={"project": "q"}).json()["total"] == 0


@pytest.mark.parametrize("since", ["soon", "1y", "-1h", "0001", "1h\0", "9" * 5000])
def test_bad_parameters(shared_server: Server, since: str) -> None:
    answer = shared_server.http.get(PATH, params={"since": since})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["field"] == "since"
