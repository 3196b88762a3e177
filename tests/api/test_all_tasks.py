"""`/api/tasks`: tasks over all projects. What is chosen, and in which order: tests/contract."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import Server, wait_for
from tracker.store.sqlite import task_figures

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


def test_more_filters_which_a_projects_list_has_too(clocked: ClockedServer) -> None:
    def at(kind: str, task_id: str, agent: str, **fields: Any) -> None:
        clocked.report(kind, "p", task_id, agent=agent, **fields)
        clocked.clock.advance(seconds=600)

    at("error", "a", "Claude-Code", usage={"model": "claude-opus-4", "cost_usd": 2})
    estimated = {"estimated_duration": 60}
    at("start", "b", "codex", task="Mend it", attention="Allow?", metadata=estimated)
    at("finish", "c", "claude", parent_task_id="b", usage={"model": "gpt-5", "cost_usd": 0.5})
    at("start", "a", "Claude-Code")
    at("error", "a", "Claude-Code")
    for given, expected in (
        ({"status": "failed,completed"}, "ac"),
        ({"status": " running , failed,running"}, "ab"),
        ({"agent": "claude"}, "c"),
        ({"agent": "CLAUDE"}, "ac"),
        ({"agent": "CLAUDE", "status": "failed,running"}, "a"),
        ({"model": "opus"}, "a"),
        ({"cost_min": "0.5"}, "ac"),
        ({"cost_min": "0.6"}, "a"),
        ({"attention": "1"}, "b"),
        ({"attention": "0"}, "ac"),
        ({"silent": "false"}, "abc"),
        ({"overdue": "1"}, "b"),
        ({"attempt": "2"}, "a"),
        ({"attempt_min": "2"}, "a"),
        ({"attempt_min": "3"}, ""),
        ({"parent": "b"}, "c"),
        ({"title": "Mend it"}, "b"),
        ({"title": "Mend"}, ""),
        ({"since": "15m"}, "ab"),
        ({"since": "2024-01-15T10:20:00Z"}, "abc"),
        ({"since": "2024-01-15T10:20:00.001Z"}, "ab"),
    ):
        for path in (PATH, "/api/projects/p/tasks"):
            answer = clocked.get(path, **given, figures=1)
            found = sorted(task["task_id"] for task in answer["tasks"])
            assert ("".join(found), answer["total"]) == (expected, len(expected)), (path, given)
            assert answer["filters"] == given
            assert answer["figures"]["task_stats"]["total"] == len(expected), (path, given)


def test_silent_ones(server: Server) -> None:
    def total(**params: str) -> int:
        return int(server.http.get(PATH, params=params).json()["total"])

    server.report("start", "p", "quiet", stale_after_seconds=0.1)
    server.report("start", "p", "other")
    wait_for(lambda: total(silent="true") == 1, what="word of its silence")
    assert total(silent="1", status="failed,completed") == 0
    assert (total(silent="0"), total(silent="1", status="running,failed")) == (1, 1)


def test_several_projects(clocked: ClockedServer) -> None:
    for project in ("p", "q", "r, s"):
        clocked.report("start", project, "t")
    answer = clocked.http.get(f"{PATH}?project=p&project=r%2C%20s&project=").json()
    assert {project for project, _ in names(answer)} == {"p", "r, s"}
    assert answer["filters"]["projects"] == ["p", "r, s"]
    many = "&".join(f"project={number}" for number in range(101))
    assert clocked.http.get(f"{PATH}?{many}").status_code == 422


def test_figures_follow_the_filter(clocked: ClockedServer) -> None:
    usage = {"model": "m", "input_tokens": 10, "cost_usd": 0.25}
    for task, seconds in (("a", 1), ("b", 2), ("c", 9)):
        clocked.report("finish", "p", task, duration_seconds=seconds, usage=usage)
    clocked.report("error", "p", "d", agent="other")
    clocked.report("start", "q", "e", usage=usage)
    assert "figures" not in clocked.get(PATH)
    counted = {
        "total": 4,
        "completed": 3,
        "running": 0,
        "failed": 1,
        "pending": 0,
    }
    for params in ({"project": "p"}, {"project": "p", "status": "completed,failed"}):
        assert clocked.get(PATH, figures=1, limit=1, **params)["figures"] == {
            "complete": True,
            "sample": 4,
            "task_stats": counted,
            "performance": {
                "average_duration": 3.0,
                "success_rate": 75.0,
                "finished_success_rate": 75.0,
                "median_duration": 1.5,
            },
            "usage": {
                "input_tokens": 30,
                "output_tokens": 0,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "cost_usd": 0.75,
                "estimated_cost_usd": 0,
            },
        }
    assert clocked.get(PATH, figures=1)["figures"]["usage"]["cost_usd"] == 1
    none = clocked.get(PATH, figures=1, agent="nobody")["figures"]
    assert (none["task_stats"]["total"], none["performance"]["median_duration"]) == (0, 0)
    assert clocked.get(PATH, figures=1, agent="other")["figures"]["usage"]["cost_usd"] == 0


def test_figures_of_very_many_are_of_the_newest(
    clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_figures, "SAMPLE", 2)
    for task in "abc":
        clocked.report("finish", "p", task, agent=f"x{task}", duration_seconds=4)
        clocked.clock.advance(seconds=1)
    answer = clocked.get(PATH, figures=1, agent="X")
    assert (answer["total"], answer["figures"]["complete"]) == (3, False)
    assert answer["figures"]["sample"] == answer["figures"]["task_stats"]["total"] == 2
    answer = clocked.get(PATH, figures=1)["figures"]
    assert (answer["complete"], answer["sample"], answer["task_stats"]["total"]) == (True, 2, 3)


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
        *(("status", "failed,done"), ("status", ","), ("since", "soon"), ("since", "1y")),
        *(("since", "-1h"), ("since", "1234567d"), ("since", "٣d"), ("agent", "a" * 1001)),
        *(("cost_min", "-1"), ("cost_min", "nan"), ("cost_min", "1e400"), ("cost_min", "$1")),
        *(("attempt", "0"), ("attempt_min", "1.5"), ("attempt", f"{2**63}"), ("silent", "maybe")),
        *(("attention", "2"), ("overdue", "x"), ("figures", "all"), ("parent", "x" * 1001)),
        ("title", "x" * 1001),
    ],
)
def test_bad_parameters(shared_server: Server, name: str, value: str) -> None:
    answer = shared_server.http.get(PATH, params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == name
