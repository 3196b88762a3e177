"""`/api/stats/insights`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key
from tests.support.server import Server
from tracker.domain import insights
from tracker.store.sqlite import insights as engine

PATH = "/api/stats/insights"


def told(
    server: ClockedServer, kind: str, task_id: str, at: str, cost: float, **fields: Any
) -> None:
    usage = {"model": fields.pop("model", "m"), "cost_usd": cost}
    given: dict[str, Any] = {"occurred_at": at, "usage": usage, **fields}
    assert server.report(kind, "p", task_id, **given).is_success


@pytest.fixture
def clocked_with_days(clocked: ClockedServer) -> ClockedServer:
    """Now is 2024-01-15T10:00Z."""
    told(clocked, "finish", "a", "2024-01-14T21:59:59Z", 1, agent="x", duration_seconds=10)
    told(clocked, "error", "b", "2024-01-14T22:30:00Z", 2, agent="x", task="T", model="n")
    told(clocked, "finish", "c", "2024-01-15T09:00:00Z", 4, agent="y", task="T", duration_seconds=4)
    clocked.report("start", "p", "running")
    return clocked


@pytest.mark.parametrize(
    ("tz", "ends"),
    [
        ("UTC", {"2024-01-14": (1, 1), "2024-01-15": (1, 0)}),
        ("0", {"2024-01-14": (1, 1), "2024-01-15": (1, 0)}),
        ("120", {"2024-01-14": (1, 0), "2024-01-15": (1, 1)}),
        ("+120", {"2024-01-14": (1, 0), "2024-01-15": (1, 1)}),
        ("Europe/Kyiv", {"2024-01-14": (1, 0), "2024-01-15": (1, 1)}),
        ("-600", {"2024-01-14": (2, 1), "2024-01-15": (0, 0)}),
        ("1080", {"2024-01-15": (1, 1), "2024-01-16": (1, 0)}),
    ],
)
def test_days_are_the_viewers(
    clocked_with_days: ClockedServer, tz: str, ends: dict[str, tuple[int, int]]
) -> None:
    answer = clocked_with_days.get(PATH, days=2, tz=tz)
    assert answer["tz"] == tz
    assert {day["date"]: (day["completed"], day["failed"]) for day in answer["days"]} == ends
    assert (answer["total"], answer["complete"]) == (3, True)
    assert sum(day["usage"]["cost_usd"] for day in answer["days"]) == 7


@pytest.mark.parametrize(
    ("tz", "completed", "failed"),
    [
        ("", 1, 0),
        ("UTC", 1, 0),
        ("120", 1, 1),
        ("Europe/Kyiv", 1, 1),
        ("-600", 0, 0),
        ("900", 1, 0),
    ],
)
def test_today_is_the_viewers(
    clocked_with_days: ClockedServer, tz: str, completed: int, failed: int
) -> None:
    clocked_with_days.report("finish", "q")
    key = make_key(clocked_with_days, "eye", "read", "p")
    expected = {"completed": completed + 1, "failed": failed}
    path = f"/api/now?tz={tz}"
    assert clocked_with_days.get(path)["today"] == expected
    with client_with(clocked_with_days, key) as client:
        assert client.get(path).json()["today"]["completed"] == completed
        assert client.get("/api/now?tz=Mars").status_code == 422


def test_by_all_kinds(clocked_with_days: ClockedServer) -> None:
    answer = clocked_with_days.get(PATH, days=30)
    assert len(answer["days"]) == 30
    costs = {
        kind: [(*(one.get(name) for name in of), one["usage"]["cost_usd"]) for one in answer[kind]]
        for kind, of in (("agents", ["agent"]), ("models", ["model"]), ("titles", ["title"]))
    }
    assert costs["agents"] == [("y", 4), ("x", 3)]
    assert costs["models"] == [("m", 5), ("n", 2)]
    assert costs["titles"][0] == ("T", 6)
    (project,) = answer["projects"]
    assert project == {"project": "p", **answer["overall"]}
    assert answer["overall"]["finished_success_rate"] == 66.7
    assert answer["kinds"] == {"projects": 1, "agents": 2, "models": 2, "titles": 2}
    x = next(one for one in answer["agents"] if one["agent"] == "x")
    assert (x["completed"], x["failed"], x["median_duration"]) == (1, 1, 5)
    etag = clocked_with_days.http.get(PATH).headers["ETag"]
    again = clocked_with_days.http.get(PATH, headers={"If-None-Match": etag})
    assert again.status_code == 304


def test_what_is_past_the_bounds_is_told(
    clocked_with_days: ClockedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_ENDED", 2)
    monkeypatch.setattr(insights, "MAX_LINES", 1)
    answer = clocked_with_days.get(PATH)
    assert (answer["total"], answer["complete"]) == (3, False)
    assert (answer["overall"]["completed"], answer["overall"]["failed"]) == (1, 1)
    assert ([one["agent"] for one in answer["agents"]], answer["kinds"]["agents"]) == (["y"], 2)


def test_what_is_outside_a_keys_projects_does_not_exist(server: Server) -> None:
    for project in "pq":
        server.report("finish", project, "t", agent=f"agent of {project}")
    with client_with(server, make_key(server, "some", "read", "p")) as some:
        assert some.get(PATH).json()["total"] == 1
        assert "agent of q" not in some.get(PATH).text
        assert some.get(PATH, params={"project": "q"}).json()["total"] == 0
    both = server.http.get(f"{PATH}?project=p&project=q&project=none").json()
    assert (both["total"], both["kinds"]["projects"]) == (2, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("tz", zone) for zone in ("Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe")),
        *(("tz", zone) for zone in ("1081", "-1081", "1.5", "٣", "a\0b", "x" * 5000, "é")),
        *(("days", days) for days in ("0", "367", "-1", "x", "1.5", f"{2**70}")),
    ],
)
def test_bad_parameters(shared_server: Server, name: str, value: str) -> None:
    answer = shared_server.http.get(PATH, params={name: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["field"] == name
