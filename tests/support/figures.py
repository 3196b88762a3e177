"""An engine's figures, and what a look at all tasks gives in their place."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median

from tests.support.bench import Bench
from tracker.clock import MS_PER_DAY
from tracker.domain.durations import SAMPLE_SIZE
from tracker.domain.principal import ALL_PROJECTS, Scope
from tracker.domain.queries import ProjectQuery, TaskQuery
from tracker.domain.records import (
    AgentFigures,
    DayCount,
    OverallStats,
    ProjectStats,
    StatusCounts,
    TaskSummary,
)

STATUSES = ("pending", "running", "completed", "failed")


def counts(tasks: list[TaskSummary]) -> StatusCounts:
    by_status = Counter(task.status for task in tasks)
    return StatusCounts(*(by_status[status] for status in STATUSES))


def spent(tasks: list[TaskSummary]) -> int:
    return sum(task.duration_ms or 0 for task in tasks)


def timeline(tasks: list[TaskSummary]) -> list[DayCount]:
    days: dict[int, Counter[str]] = defaultdict(Counter)
    for task in tasks:
        if task.finished_at is not None:
            days[task.finished_at // MS_PER_DAY][task.status] += 1
    return [DayCount(day, c["completed"], c["failed"]) for day, c in sorted(days.items())]


def recount(bench: Bench, scope: Scope = ALL_PROJECTS) -> None:
    """Compare all figures of a scope with its tasks themselves."""
    run, engine = bench.run, bench.engine
    projects = run(engine.projects(scope, ProjectQuery(limit=500, activity_days=100))).projects
    assert all(scope.includes(project.name) for project in projects)
    everything: list[TaskSummary] = []
    for project in projects:
        page = run(engine.tasks(scope, project.name, TaskQuery(limit=500)))
        tasks = list(page.tasks)
        assert page.total == len(tasks)
        assert (project.tasks, project.activity) == (counts(tasks), timeline(tasks))
        stats = run(engine.project_stats(scope, project.name, 3660))
        assert stats == ProjectStats(project.name, counts(tasks), spent(tasks), timeline(tasks))
        everything += tasks
    of_agent: dict[str, list[TaskSummary]] = defaultdict(list)
    for task in everything:
        of_agent[task.agent].append(task)
    overall = run(engine.overall_stats(scope))
    assert overall == OverallStats(
        len(projects),
        counts(everything),
        spent(everything),
        [
            AgentFigures(name, len(of), counts(of).completed, counts(of).failed, spent(of))
            for name, of in sorted(of_agent.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        ],
        overall.recent,
    )
    now = run(engine.now(scope, 500, 500))
    ended = [task for task in everything if task.finished_at is not None]
    assert {line.id for line in now.active} == {task.id for task in everything} - {
        task.id for task in ended
    }
    assert {line.id for line in now.ended} == {task.id for task in ended}
    trends = run(engine.trends(scope, 3660))
    assert trends.timeline == timeline(everything)
    assert trends.durations.sample == len(ended) < SAMPLE_SIZE
    assert sum(bar.tasks for bar in trends.durations.histogram) == len(ended)
    assert [(agent.name, agent.sample, agent.median_ms) for agent in trends.durations.agents] == [
        (name, len(took), round(median(took)))
        for name, of in sorted(of_agent.items())
        if (took := [task.duration_ms for task in of if task.duration_ms is not None])
    ]
