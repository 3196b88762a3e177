"""What was under way in a range of time: what a look at all tasks, one by one, gives."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from tests.support.access import only
from tests.support.bench import Bench, report
from tracker.domain import timeline as rules
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.records import StatusCounts
from tracker.domain.tasks import Kind, Status, TaskSummary
from tracker.domain.timeline import Timeline, TimelineQuery, Track
from tracker.store.sqlite import timeline as engine

PROJECTS = ["p", "q", "r"]


@pytest.fixture
def busy(bench: Bench) -> Bench:
    chance = random.Random(7)
    for number in range(160):
        bench.clock.advance(seconds=chance.choice([0, 1, 7, 60]))
        fields: dict[str, Any] = {}
        kind = chance.choice([*Kind, Kind.START])
        if kind is Kind.STATUS:
            fields["status"] = chance.choice(list(Status))
            fields["parent_task_id"] = "t1"
        if kind is Kind.FINISH and chance.random() < 0.5:
            fields["duration_ms"] = chance.choice([0, 999, 600_000])
        project, agent = chance.choice(PROJECTS), f"agent {chance.randrange(5)}"
        bench.record(report(kind, project, f"t{number // 3}", agent=agent, **fields))
    return bench


FILTERS: list[dict[str, Any]] = [
    *({}, {}, {}, {"status": ("failed", "running")}, {"status": ("completed",)}),
    *({"agent": "agent 1"}, {"agent": "GENT"}, {"attempt_min": 2}, {"task_id": "t3"}),
    *({"silent": False}, {"attention": True}, {"parent": "t1"}, {"title": "none"}),
]


def tasks(bench: Bench, names: list[str], chosen: TaskQuery) -> list[TaskSummary]:
    query = chosen._replace(limit=500, projects=(*names,))
    return list(bench.run(bench.engine.all_tasks(only(), query)).tasks) if names else []


def ran_in(task: TaskSummary, begin: int, end: int, now: int) -> bool:
    last = now if task.finished_at is None else task.finished_at
    return task.started_at < end and max(last, task.started_at) >= begin


def track(found: list[TaskSummary], query: TimelineQuery, now: int) -> Track:
    """docs/api.md, in the plainest way."""
    edges = [query.begin + query.width * number for number in range(query.bins)]
    bins = [(edge, min(edge + query.width, query.end)) for edge in edges]
    states = Counter(task.status for task in found)

    def ended(status: str, begin: int, end: int) -> int:
        return sum(
            task.status == status and begin <= (task.finished_at or begin - 1) < end
            for task in found
        )

    running = [task for task in found if task.status != "pending"]
    return Track(
        StatusCounts(*(states[status] for status in Status)),
        [sum(ran_in(task, *bin_, now) for task in running) for bin_ in bins],
        [ended("completed", *bin_) for bin_ in bins],
        [ended("failed", *bin_) for bin_ in bins],
    )


@pytest.mark.parametrize("scope", [ALL_PROJECTS, only("p", "r"), only("q"), Scope(frozenset())])
def test_it_is_what_a_look_at_all_tasks_gives(busy: Bench, scope: Scope) -> None:
    chance, now = random.Random(8), busy.clock.now_ms()
    for _ in range(150):
        begin = now - chance.randrange(-100, 5_000_000)
        end = chance.choice([now + 1, begin + 1, begin + chance.randrange(1, 4_000_000)])
        if end <= begin:
            continue
        asked = chance.choice([(), (), ("p",), ("q", "r"), ("never seen",)])
        chosen = TaskQuery(projects=asked, **chance.choice(FILTERS))
        bins = chance.choice([1, 3, 60, 500])
        width = -(-(end - begin) // bins)
        query = TimelineQuery(begin, begin + width * bins, bins, chosen)  # bins that fit
        found = busy.run(busy.engine.timeline(scope, query))
        names = [name for name in PROJECTS if scope.includes(name) and name in (asked or PROJECTS)]
        seen = [
            task
            for task in tasks(busy, names, chosen)
            if ran_in(task, query.begin, query.end, now)
            and (task.finished_at is not None or now >= query.begin)
        ]
        of_agents = {
            agent: track([task for task in seen if task.agent == agent], query, now)
            for agent in {task.agent for task in seen}
        }
        assert dict(found.tracks) == of_agents, query
        sizes = [one.tasks.total for _, one in found.tracks]
        assert sizes == sorted(sizes, reverse=True)
        assert (found.others, found.left_out) == ((0, track([], query, now)), 0)
        assert found.intervals is not None
        ids = [(task.started_at, task.id) for task in seen]
        assert [(one.started_at, one.id) for one in found.intervals] == sorted(ids)


def whole(bench: Bench, scope: Scope = ALL_PROJECTS) -> Timeline:
    now = bench.clock.now_ms()
    return bench.run(bench.engine.timeline(scope, TimelineQuery(now - 10**8, now + 1, 4)))


def test_nothing_is_left_out_in_silence(busy: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full = whole(busy)
    total = sum(one.tasks.total for _, one in full.tracks)
    monkeypatch.setattr(engine, "MAX_INTERVALS", total - 1)
    monkeypatch.setattr(rules, "MAX_TRACKS", 2)
    cut = whole(busy)
    assert cut.intervals is None
    assert [*cut.tracks] == [*full.tracks][:2]
    agents, others = cut.others
    assert agents == len(full.tracks) - 2
    rest = [one for _, one in full.tracks][2:]
    assert others.tasks.total == sum(one.tasks.total for one in rest)
    for name in ("running", "completed", "failed"):
        by_bin = zip(*(getattr(one, name) for one in rest), strict=True)
        assert getattr(others, name) == [sum(counts) for counts in by_bin]

    monkeypatch.setattr(engine, "MAX_LOOKED_AT", 5)
    for scope in (ALL_PROJECTS, only(*PROJECTS)):
        few = whole(busy, scope)
        told = sum(one.tasks.total for _, one in few.tracks) + few.others[1].tasks.total
        assert (told + few.left_out, few.left_out > 0) == (total, True)
