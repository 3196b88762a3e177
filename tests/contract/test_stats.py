"""Figures equal what a look at all tasks gives, whatever was reported and deleted."""

from __future__ import annotations

import random

from tests.support.access import SOMEBODY, only
from tests.support.bench import Bench, report
from tests.support.figures import recount
from tracker.clock import MS_PER_DAY
from tracker.domain.principal import Scope
from tracker.domain.records import (
    DayCount,
    Ends,
    OverallStats,
    StatusCounts,
)
from tracker.domain.tasks import Kind, Status


def test_before_the_first_report(bench: Bench) -> None:
    nothing = StatusCounts(0, 0, 0, 0)
    assert bench.run(bench.engine.overall_stats(only())) == OverallStats(0, nothing, 0, [], [])
    recount(bench)


def test_figures_equal_a_recount(bench: Bench) -> None:
    chance = random.Random(11)
    for round_ in range(40):
        bench.clock.advance(seconds=chance.randrange(20_000))
        bench.record(
            *(
                report(
                    chance.choice(list(Kind)),
                    f"p{chance.randrange(4)}",
                    f"t{chance.randrange(15)}",
                    agent=f"agent {chance.randrange(5)}",
                    status=chance.choice(list(Status)),
                    duration_ms=chance.choice([None, None, 0, 1500, 86_400_000]),
                )
                for _ in range(chance.choice([1, 3, 30]))
            )
        )
        if round_ % 5 == 4:
            name = f"p{chance.randrange(4)}"
            tasks = bench.tasks(name)
            bench.run(bench.engine.delete_task(name, tasks[0], SOMEBODY))
        if round_ == 25:
            bench.run(bench.engine.delete_project("p2", SOMEBODY))
        for scope in (only(), only("p1"), only("p0", "p2", "p3", "never seen"), Scope(frozenset())):
            recount(bench, scope)


def test_figures_follow_the_task(bench: Bench) -> None:
    def figures() -> tuple[int, ...]:
        stats = bench.run(bench.engine.overall_stats(only()))
        return stats.tasks.active, stats.tasks.completed, stats.tasks.failed, stats.duration_ms

    bench.record(report("start"))
    assert figures() == (1, 0, 0, 0)
    bench.clock.advance(seconds=4)
    bench.record(report("error"))
    assert figures() == (0, 0, 1, 4000)
    bench.clock.advance(seconds=4)
    bench.record(report("finish"))
    assert figures() == (0, 1, 0, 8000)
    bench.record(report("finish", duration_ms=1000))
    assert figures() == (0, 1, 0, 1000)
    bench.record(report("status", status=Status.FAILED))  # too late
    assert figures() == (0, 1, 0, 1000)
    bench.record(report("start"))
    assert figures() == (1, 0, 0, 0)


def test_task_counts_for_the_agent_that_reported_last(bench: Bench) -> None:
    def agents() -> list[tuple[str, int, int]]:
        stats = bench.run(bench.engine.overall_stats(only()))
        return [(agent.name, agent.tasks, agent.duration_ms) for agent in stats.agents]

    bench.record(report("finish", task_id="1", agent="alice", duration_ms=5000))
    bench.record(report("finish", task_id="2", agent="alice", duration_ms=7000))
    bench.record(report("finish", task_id="1", agent="bob", duration_ms=5000))
    assert agents() == [("alice", 1, 7000), ("bob", 1, 5000)]
    bench.record(report("finish", task_id="2", agent="bob", duration_ms=7000))
    assert agents() == [("bob", 2, 12_000)]


def test_recent_is_the_ten_newest_reports(bench: Bench) -> None:
    for number in range(12):
        bench.record(report("start", task_id=f"task-{number}"))
        bench.clock.advance(seconds=1)
    bench.record(report("status", task_id="task-0", status=Status.PENDING))
    recent = bench.run(bench.engine.overall_stats(only())).recent
    assert [one.task_id for one in recent] == [
        "task-0",
        *(f"task-{number}" for number in range(11, 2, -1)),
    ]
    assert (recent[0].project, recent[0].status) == ("project", "pending")
    assert recent[0].at == bench.clock.now_ms()


def test_days_are_the_latest_on_which_a_task_ended(bench: Bench) -> None:
    first = bench.clock.now_ms() // MS_PER_DAY
    for number in range(5):
        bench.record(report("finish", task_id=f"{number}"))
        bench.clock.advance(days=2)
    expected = [DayCount(first + day, 1, 0) for day in (6, 8)]
    assert bench.run(bench.engine.project_stats(only(), "project", 2)).timeline == expected
    assert bench.run(bench.engine.trends(only(), 2)).timeline == expected


def test_now(bench: Bench) -> None:
    for number in range(4):
        bench.record(report("start", "p", f"active {number}", message="m" * 600))
        bench.record(report("finish", "q", f"ended {number}"))
        bench.clock.advance(seconds=1)
    now = bench.run(bench.engine.now(only(), 2, 3))
    assert [line.task_id for line in now.active] == ["active 3", "active 2"]
    assert [line.task_id for line in now.ended] == ["ended 3", "ended 2", "ended 1"]
    assert now.today == Ends(4, 0)
    assert now.last_id == 8
    bench.clock.advance(days=1)
    assert bench.run(bench.engine.now(only(), 0, 0)).today.completed == 0
