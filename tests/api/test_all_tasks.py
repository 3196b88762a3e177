"""`/api/tasks`: tasks over all projects. What is chosen, and in which order: tests/contract."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import Server, wait_for

PATH = "/api/tasks"


def names(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(task["project"], task["task_id"]) for task in answer["tasks"]]


def test_fields_are_those_of_a_projects_list_and_the_project(clocked: ClockedServer) -> None:
    nothing = {"tasks": [], "total": 0, "limit": 20, "offset": 0, "filters": {}}
    assert clocked.get(PATH) == nothing
    clocked.report("start", "p", "t", session="s", usage={"cost_usd": 0.5}, metadata={"a": 2**70})
    (task,) = clocked.get("/api/projects/p/tasks")["tasks"]
    assert clocked.get(PATH) == {**nothing, "tasks": [{**task, "project": "p"}], "total": 1}


def test_filters(clocked: ClockedServer) -> None:
    for project, task, kind in (("p", "a", "start"), ("p", "b", "finish"), ("q", "a", "start")):
        clocked.report(kind, project, task, session=f"of {task}", agent=f"agent of {project}")
        clocked.clock.advance(seconds=1)
    assert names(clocked.get(PATH)) == [("q", "a"), ("p", "b"), ("p", "a")]
    assert names(clocked.get(PATH, sort_order="asc", limit=1, offset=1)) == [("p", "b")]
    for given, expected in (
        ({"project": "p"}, "ba"),
        ({"project": "never seen"}, ""),
        ({"status": "running", "project": "p"}, "a"),
        ({"agent": "agent of q"}, "a"),
        ({"session": "of a"}, "aa"),
        ({"task_id": "b"}, "b"),
        ({"date_from": "2024-01-15T10:00:01Z"}, "ab"),
        ({"date_to": "2024-01-15"}, "b"),
    ):
        answer = clocked.get(PATH, **given)
        assert "".join(task for _, task in names(answer)) == expected, given
        assert (answer["total"], answer["filters"]) == (len(expected), given)
    empty = dict.fromkeys(("project", "status", "agent", "session", "task_id", "q", "date_to"), "")
    assert (clocked.get(PATH, **empty)["total"], clocked.get(PATH, **empty)["filters"]) == (3, {})


def test_a_search(server: Server) -> None:
    def searched(**params: str) -> dict[str, Any]:
        return dict(server.http.get(PATH, params=params).json())

    server.report("start", "p", "t", task="Build the feature")
    server.report("start", "q", "u", task="Test the feature")
    wait_for(
        lambda: searched(q="feature")["total"] == 2,
        what="the search index",
    )
    assert names(searched(q="feat build")) == [("p", "t")]
    assert names(searched(q="feature", project="q")) == [("q", "u")]


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_paths_cannot_carry(shared_server: Server, name: str) -> None:
    shared_server.report("finish", name, name, result="done")
    found = shared_server.http.get(PATH, params={"project": name, "task_id": name})
    (task,) = found.json()["tasks"]
    assert (task["project"], task["task_id"], task["result"]) == (name, name, "done")


def test_what_is_outside_a_keys_projects_does_not_exist(server: Server) -> None:
    for project in "pqr":
        server.report("start", project, "t")
    with client_with(server, make_key(server, "some", "read", "p", "r")) as some:
        answer = some.get(PATH).json()
        assert (names(answer), answer["total"]) == ([("r", "t"), ("p", "t")], 2)
        assert some.get(PATH, params={"project": "q"}).json()["total"] == 0
        assert names(some.get(PATH, params={"project": "p"}).json()) == [("p", "t")]


def test_unchanged(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "t")
    etag = clocked.http.get(PATH).headers["ETag"]
    assert clocked.http.get(PATH, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("status", "done"), ("limit", "0"), ("limit", "501"), ("offset", "-1")),
        *(("sort_by", "agent"), ("sort_order", "up"), ("date_from", "soon")),
    ],
)
def test_bad_parameters(shared_server: Server, name: str, value: str) -> None:
    answer = shared_server.http.get(PATH, params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == name
