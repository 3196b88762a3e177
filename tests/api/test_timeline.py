"""`/api/timeline`. What is counted: tests/contract."""

from __future__ import annotations

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import Server, wait_for

PATH = "/api/timeline"


def test_the_last_hour(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "a", agent="alice", session="s")
    clocked.clock.advance(seconds=1800)
    clocked.report("error", "p", "b", agent="alice", parent_task_id="a")
    clocked.clock.advance(seconds=1800)
    answer = clocked.get(PATH, bins=2)
    assert answer["from"] == "2024-01-15T10:30:00.000Z"  # the bin of now has just begun
    assert answer["to"] == "2024-01-15T11:30:00.000Z"
    assert (answer["total"], answer["left_out"], answer["others"]["agents"]) == (2, 0, 0)
    assert answer["agents"] == [
        {
            "agent": "alice",
            "task_stats": {"total": 2, "completed": 0, "running": 1, "failed": 1, "pending": 0},
            "running": [2, 1],
            "completed": [0, 0],
            "failed": [1, 0],
        }
    ]
    clocked.clock.advance(seconds=1799)
    assert clocked.get(PATH, bins=2) == answer  # bins stand where they stood
    a, b = answer["intervals"]
    assert a == {
        "id": a["id"],
        "project": "p",
        "task_id": "a",
        "title": a["title"],
        "agent": "alice",
        "status": "running",
        "attempt": 1,
        "started_at": "2024-01-15T10:00:00.000Z",
        "finished_at": None,
        "parent_task_id": None,
        "session": "s",
    }
    assert (b["parent_task_id"], b["finished_at"]) == ("a", "2024-01-15T10:30:00.000Z")


def test_a_range_of_some_projects(clocked: ClockedServer) -> None:
    for project in "pqr":
        clocked.report("finish", project, "t", duration_seconds=60)
    day = {"from": "2024-01-15", "to": "2024-01-16"}
    answer = clocked.http.get(PATH, params=[*day.items(), ("project", "p"), ("project", "r")])
    assert answer.json()["total"] == 2
    assert answer.json()["bin_seconds"] == 1440
    etag = answer.headers["ETag"]
    again = clocked.http.get(answer.request.url, headers={"If-None-Match": etag})
    assert again.status_code == 304
    later = clocked.get(PATH, **{"from": "2024-01-16", "to": "2024-01-17"})
    assert (later["total"], later["agents"], later["intervals"]) == (0, [], [])
    assert clocked.get(PATH, **{"from": "999999w", "to": "2024-01-16"} | {"from": "3000d"})["total"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("project=p&project=q", "abcd"),
        ("project=p", "abc"),
        ("status=failed,running", "abd"),
        ("agent=ALI", "ab"),
        ("agent=alice&status=failed", "b"),
        ("session=s", "a"),
        ("q=engine", "bd"),
        ("q=engine&project=p", "b"),
        ("title=Repair", "c"),
        ("model=gpt&cost_min=0.1", "c"),
        ("parent=a", "b"),
        ("attention=1", "a"),
        ("attempt_min=2", ""),
        ("since=5m", "abcd"),
        ("task_id=c", "c"),
        ("q=&agent=&status=", "abcd"),
    ],
)
def test_it_takes_the_lists_filters(clocked: ClockedServer, chosen: str, expected: str) -> None:
    clocked.report("start", "p", "a", agent="alice", session="s", attention="Go on?")
    clocked.report("error", "p", "b", agent="alice", parent_task_id="a", error_message="engine")
    usage = {"model": "gpt-5", "cost_usd": 0.5}
    clocked.report("finish", "p", "c", agent="bob", task="Repair", usage=usage)
    clocked.report("start", "q", "d", agent="carol", task="The engine")

    if "q=" in chosen:
        wait_for(lambda: clocked.get("/api/tasks?q=engine")["total"] == 2)
    answer = clocked.get(f"{PATH}?{chosen}")
    assert "".join(sorted(task["task_id"] for task in answer["intervals"])) == expected
    assert answer["total"] == len(expected) == clocked.get(f"/api/tasks?{chosen}")["total"]


def test_what_is_outside_a_keys_projects_does_not_exist(server: Server) -> None:
    for project in "pq":
        server.report("start", project, "t", agent=f"agent of {project}")
    with client_with(server, make_key(server, "some", "read", "p")) as some:
        for params in ({}, {"project": "q"}):
            text = some.get(PATH, params=params).text
            assert ("agent of p" in text, "agent of q" in text) == (not params, False)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "soon"}, "from"),
        ({"from": "1h", "to": "2h"}, "from"),
        ({"from": "1h", "to": "1h"}, "from"),
        ({"from": "999999w"}, "from"),
        ({"from": "999999w", "to": "999998w"}, "from"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "from"),
        ({"from": "9999-12-31T23:59:59Z"}, "from"),
        ({"to": "x"}, "to"),
        *(
            ({"status": "gone"}, "status"),
            ({"cost_min": "-1"}, "cost_min"),
            ({"silent": "x"}, "silent"),
        ),
        *(({"bins": bins}, "bins") for bins in ("0", "501", "-1", "1.5", "x", f"{2**70}")),
    ],
    ids=str,
)
def test_bad_parameters(shared_server: Server, params: dict[str, str], field: str) -> None:
    answer = shared_server.http.get(PATH, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["field"] == field


def test_ends_of_time(shared_server: Server) -> None:
    for params in (
        {"from": "9999-12-31", "to": "9999-12-31T23:59:59.999Z"},
        {"from": "0001-01-01", "to": "0001-01-02", "bins": "500"},
        {"from": "0s"},
        {"from": "2024-01-15T10:00:00.000Z", "to": "2024-01-15T10:00:00.001Z", "bins": "500"},
    ):
        answer = shared_server.http.get(PATH, params=params)
        assert answer.status_code == 200, answer.text
