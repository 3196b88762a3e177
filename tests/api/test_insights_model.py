"""`/api/stats/insights` against a plain look at everything that was reported."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.support.clocked import ClockedServer

ZONES: Mapping[str, tzinfo] = {
    # In these both clocks were changed in the days that are looked at.
    "Europe/Berlin": ZoneInfo("Europe/Berlin"),
    "America/New_York": ZoneInfo("America/New_York"),
    **{str(minutes): timezone(timedelta(minutes=minutes)) for minutes in (-570, 0, 345, 840)},
}
NOW = datetime(2024, 4, 1, 10, tzinfo=UTC)
DAYS = 25
PLACES = {"projects": ["project"], "agents": ["agent"], "titles": ["project", "title"]}
AMOUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")

Sums = tuple[int, int, int, dict[str, int]]


class Ended(NamedTuple):
    """A task as it was told; costs are in thousandths of a dollar, durations in milliseconds."""

    place: dict[str, str]
    is_failed: bool
    at: datetime
    duration: int
    used: dict[str, dict[str, int]]


def some_task(chance: random.Random) -> Ended:
    models = chance.sample(["opus", "gpt", ""], chance.choice([0, 1, 1, 2]))
    used = {
        model: {name: chance.randrange(1000) for name in (*AMOUNTS, "cost")} for model in models
    }
    is_failed = chance.random() < 0.3
    return Ended(
        {name: chance.choice(["a", "b", "c d"]) for name in ("project", "agent", "title")},
        is_failed,
        NOW - timedelta(seconds=chance.randrange(29 * 86_400)),
        0 if is_failed else chance.randrange(100_000),  # an error does not tell how long it took
        used,
    )


def report(task: Ended, number: int) -> dict[str, Any]:
    usage = [
        {"model": model, "cost_usd": used["cost"] / 1000} | {name: used[name] for name in AMOUNTS}
        for model, used in task.used.items()
    ]
    return {
        **{"kind": "error" if task.is_failed else "finish", "task_id": f"t{number}"},
        **{"project": task.place["project"], "agent": task.place["agent"]},
        **{"task": task.place["title"], "occurred_at": task.at.isoformat()},
        **{"duration_seconds": task.duration / 1000, "usage": usage or None},
        **({"error_type": "E", "error_message": "m"} if task.is_failed else {}),
    }


def expected(tasks: Iterable[Ended], model: str | None = None) -> Sums:
    """Of these tasks; with a model: what they used of it alone."""
    known = list(tasks)
    failed = sum(task.is_failed for task in known)
    sums: defaultdict[str, int] = defaultdict(int)
    for task in known:
        for name, used in task.used.items():
            for kind, amount in used.items():
                sums[kind] += amount if model in (None, name) else 0
    middle = round(median([task.duration for task in known])) if known else 0
    return len(known) - failed, failed, middle, {name: sums[name] for name in (*AMOUNTS, "cost")}


def told(line: Mapping[str, Any]) -> Sums:
    usage = {name: line["usage"][name] for name in AMOUNTS}
    usage["cost"] = round(line["usage"]["cost_usd"] * 1000)
    return line["completed"], line["failed"], round(line["median_duration"] * 1000), usage


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_a_look_at_all_of_them_gives(clocked: ClockedServer, seed: int) -> None:
    clocked.clock.set("2024-04-01T10:00:00")
    chance = random.Random(seed)
    tasks = [some_task(chance) for _ in range(150)]
    reports = [report(task, number) for number, task in enumerate(tasks)]
    # They run, and have used something too.
    reports += [
        report(task, number) | {"kind": "start", "task_id": f"running {number}"}
        for number, task in enumerate(tasks[:20])
    ]
    answer = clocked.http.post("/webhook/batch", json={"reports": reports})
    assert not [result for result in answer.json()["results"] if result["status"] > 201]
    for tz, zone in ZONES.items():
        project = chance.choice([None, "a", "c d"])
        found = clocked.get("/api/stats/insights", days=DAYS, tz=tz, project=project)
        today = NOW.astimezone(zone).date()
        dates = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
        by_day: dict[date, list[Ended]] = {day: [] for day in dates}
        for task in tasks:
            if project in (None, task.place["project"]):
                by_day.get(task.at.astimezone(zone).date(), []).append(task)
        chosen = [task for some in by_day.values() for task in some]
        assert (found["total"], found["complete"]) == (len(chosen), True)
        assert told(found["overall"]) == expected(chosen)
        days = {date.fromisoformat(day["date"]): told(day) for day in found["days"]}
        assert days == {day: expected(some) for day, some in by_day.items()}, tz
        for kind, names in PLACES.items():
            groups: defaultdict[tuple[str, ...], list[Ended]] = defaultdict(list)
            for task in chosen:
                groups[tuple(task.place[name] for name in names)].append(task)
            lines = {tuple(line[name] for name in names): told(line) for line in found[kind]}
            assert lines == {name: expected(some) for name, some in groups.items()}, (tz, kind)
        of_model = {
            model: [task for task in chosen if model in task.used] for model in ("opus", "gpt", "")
        }
        assert {line["model"]: told(line) for line in found["models"]} == {
            model or None: expected(some, model) for model, some in of_model.items() if some
        }
