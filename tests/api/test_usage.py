"""`usage` in reports: what is taken, and where it is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.keys import client_with, make_key

GIVEN = {
    "model": "opus",
    "input_tokens": 1200,
    "output_tokens": 340,
    "cache_read_tokens": 5,
    "cache_write_tokens": 6,
    "cost_usd": 0.1234567,
}
COUNTED = {**GIVEN, "cost_usd": 0.123457, "estimated_cost_usd": 0}
NOTHING = dict.fromkeys([name for name in COUNTED if name != "model"], 0)


def amounts(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: usage[name] for name in NOTHING}


@pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
def test_every_webhook_takes_it(clocked: ClockedServer, kind: str) -> None:
    clocked.report(kind, "p", "t", usage=GIVEN)
    task = clocked.get("/api/projects/p/tasks/t")
    assert task["usage"] == {**amounts(COUNTED), "models": [{**COUNTED, "source": "report"}]}
    assert task["usage_total"] == amounts(COUNTED)
    (listed,) = clocked.get("/api/projects/p/tasks")["tasks"]
    assert listed["usage"] == task["usage"]
    (event,) = task["events"]
    assert event["data"]["usage"] == [{**GIVEN, "cost_usd": 0.123457}]


def test_the_figures(clocked: ClockedServer) -> None:
    clocked.report("start", "p", "1", agent="alice", usage=[GIVEN, {"input_tokens": 1}])
    clocked.clock.advance(days=1)
    clocked.report("start", "q", "1", agent="bob", usage={"model": "opus", "input_tokens": 2})
    clocked.report("status", "p", "1", agent="alice", usage={"input_tokens": 4})
    stats = clocked.get("/api/stats")
    assert amounts(stats["usage"]) == {**amounts(COUNTED), "input_tokens": 1206}
    assert stats["usage"]["models"] == [
        {**COUNTED, "input_tokens": 1202},
        {**NOTHING, "model": None, "input_tokens": 4},
    ]
    assert {agent["name"]: agent["usage"]["input_tokens"] for agent in stats["agents"]} == {
        "alice": 1204,
        "bob": 2,
    }
    of_project = clocked.get("/api/stats/projects/p")["usage"]
    assert [(day["date"], day["input_tokens"]) for day in of_project.pop("days")] == [
        *(("2024-01-15", 1201), ("2024-01-16", 3)),
    ]
    assert amounts(of_project) == {**amounts(COUNTED), "input_tokens": 1204}
    (day,) = clocked.get("/api/stats/projects/p", days=1)["usage"]["days"]
    assert day == {**NOTHING, "date": "2024-01-16", "input_tokens": 3}


def test_a_key_for_a_project_sees_its_sums(clocked: ClockedServer) -> None:
    clocked.report("start", "p", usage={"input_tokens": 1})
    clocked.report("start", "q", usage={"model": "secret", "input_tokens": 2})
    with client_with(clocked, make_key(clocked, "some", "read", "p")) as client:
        stats = client.get("/api/stats").json()
        assert [model["input_tokens"] for model in stats["usage"]["models"]] == [1]
        assert [agent["usage"]["input_tokens"] for agent in stats["agents"]] == [1]


@pytest.mark.parametrize("usage", [None, {}, [], [{}], {"model": "m"}, {"input_tokens": None}])
def test_no_usage(clocked: ClockedServer, usage: Any) -> None:
    assert clocked.report("start", "p", "t", usage=usage).status_code == 201
    task = clocked.get("/api/projects/p/tasks/t")
    assert (task["usage"], task["usage_total"]) == (None, None)
    assert "usage" not in task["events"][0]["data"]


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        ("1", "usage"),
        (1, "usage"),
        ([1], "usage.0"),
        ([[]], "usage.0"),
        ({"input_tokens": -1}, "usage.0.input_tokens"),
        ({"input_tokens": 1.5}, "usage.0.input_tokens"),
        ({"input_tokens": "1"}, "usage.0.input_tokens"),
        ({"input_tokens": True}, "usage.0.input_tokens"),
        ({"input_tokens": 10**12 + 1}, "usage.0.input_tokens"),
        ({"input_tokens": 10**30}, "usage.0.input_tokens"),
        ({"output_tokens": 2**63}, "usage.0.output_tokens"),
        ([{}, {"cost_usd": -0.01}], "usage.1.cost_usd"),
        ({"cost_usd": 1e300}, "usage.0.cost_usd"),
        ({"cost_usd": "0.1"}, "usage.0.cost_usd"),
        ({"model": "m" * 256, "input_tokens": 1}, "usage.0.model"),
        ({"model": "\0", "input_tokens": 1}, "usage.0.model"),
        ({"model": 1, "input_tokens": 1}, "usage.0.model"),
        ([{"input_tokens": 1}] * 101, "usage"),
    ],
    ids=str,
)
def test_bad_usage(clocked: ClockedServer, usage: Any, field: str) -> None:
    answer = clocked.report("start", "p", "t", usage=usage)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field
    assert clocked.http.get("/api/projects/p").status_code == 404


def test_not_a_number_is_no_cost(clocked: ClockedServer) -> None:
    body = '{"project":"p","task":"t","task_id":"t","agent":"a","usage":{"cost_usd":NaN}}'
    headers = {"Content-Type": "application/json"}
    answer = clocked.http.post("/webhook/start", content=body, headers=headers)
    assert answer.status_code == 400
