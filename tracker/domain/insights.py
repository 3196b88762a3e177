"""Cost, success and duration of tasks that ended, by day, project, agent, model and title. Days are
those of a time zone: a day of whoever looks, not of UTC.

Times are milliseconds since the epoch, durations milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median
from typing import Any, Final, NamedTuple

from tracker.domain.tasks import Status
from tracker.domain.usage import NOTHING, Amounts, Usage

MAX_ENDED: Final = 20_000
"""So many tasks, the last to end, are looked at."""

MAX_LINES: Final = 100
"""So many projects, agents, models and titles are told of."""


class InsightsQuery(NamedTuple):
    """The last `days` days of a time zone; `projects`: of these, or of all."""

    zone: tzinfo
    days: int
    projects: tuple[str, ...] = ()


class EndedTask(NamedTuple):
    """A task that ended."""

    id: int
    project: str
    title: str
    agent: str
    status: str
    finished_at: int
    duration_ms: int


class Figures(NamedTuple):
    """Of some tasks that ended."""

    completed: int
    failed: int
    duration_ms: int
    median_ms: int
    usage: Amounts


class Line(NamedTuple):
    """The figures of what is named so: a project, an agent, a model, or a project and a title."""

    name: tuple[str, ...]
    figures: Figures


class Lines(NamedTuple):
    """Those with the highest cost first, then those with the most tasks; `total`: how many there
    are in all."""

    lines: Sequence[Line]
    total: int


class Insights(NamedTuple):
    """`days`: oldest first, with those on which nothing ended. `total`: how many tasks ended in
    these days, of which the last `overall` tells of were looked at."""

    begin: int
    end: int
    total: int
    overall: Figures
    days: Sequence[tuple[date, Figures]]
    projects: Lines
    agents: Lines
    models: Lines
    titles: Lines


def local_days(zone: tzinfo, now: int, days: int) -> list[tuple[date, int]]:
    """The last days until `now`, and when each begins; then the day after."""
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
    dates = [today + timedelta(days=ahead) for ahead in range(1 - days, 2)]
    return [(day, round(datetime.combine(day, time(), zone).timestamp() * 1000)) for day in dates]


def insights(
    days: Sequence[tuple[date, int]],
    tasks: Sequence[EndedTask],
    used: Mapping[int, Usage],
    total: int,
) -> Insights:
    """Of these tasks, and what they have used, by their numbers."""
    begins = [begin for _, begin in days]

    def usage(task: EndedTask) -> Amounts:
        found = used.get(task.id)
        return NOTHING if found is None else found.total

    def lines(name: Callable[[EndedTask], tuple[str, ...]]) -> Lines:
        groups: defaultdict[tuple[str, ...], list[EndedTask]] = defaultdict(list)
        for task in tasks:
            groups[name(task)].append(task)
        return _lines({key: _figures(group, map(usage, group)) for key, group in groups.items()})

    by_day: defaultdict[int, list[EndedTask]] = defaultdict(list)
    for task in tasks:
        by_day[bisect_right(begins, task.finished_at) - 1].append(task)
    of_models: defaultdict[tuple[str, ...], list[tuple[EndedTask, Amounts]]] = defaultdict(list)
    for task in tasks:
        for model in used[task.id].models if task.id in used else ():
            of_models[model.model,].append((task, model.amounts))
    return Insights(
        *(begins[0], begins[-1], total),
        _figures(tasks, map(usage, tasks)),
        [
            (day, _figures(by_day[number], map(usage, by_day[number])))
            for number, (day, _) in enumerate(days[:-1])
        ],
        projects=lines(lambda task: (task.project,)),
        agents=lines(lambda task: (task.agent,)),
        models=_lines(
            {
                name: _figures(
                    list({task.id: task for task, _ in told}.values()), (used for _, used in told)
                )
                for name, told in of_models.items()
            }
        ),
        titles=lines(lambda task: (task.project, task.title)),
    )


def _figures(tasks: Sequence[EndedTask], used: Iterable[Amounts]) -> Figures:
    durations = [task.duration_ms for task in tasks]
    completed = sum(task.status == Status.COMPLETED for task in tasks)
    total = NOTHING
    for amounts in used:
        total = total.plus(amounts)
    middle = round(median(durations)) if durations else 0
    return Figures(completed, len(tasks) - completed, sum(durations), middle, total)


def _lines(found: Mapping[tuple[str, ...], Figures]) -> Lines:
    def order(line: Line) -> tuple[Any, ...]:
        figures = line.figures
        return -figures.usage.cost_micros, -figures.completed - figures.failed, line.name

    lines = sorted((Line(name, figures) for name, figures in found.items()), key=order)
    return Lines(lines[:MAX_LINES], len(lines))
