"""Cost, success and duration of tasks that ended, by day, project, agent, model and title. Days are
those of a time zone: a day of whoever looks, not of UTC.

Times are milliseconds since the epoch, durations milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median
from typing import Any, Final, NamedTuple

from tracker.domain.tasks import Status
from tracker.domain.usage import NOTHING, Amounts

MAX_ENDED: Final = 10_000
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
    used: Iterable[tuple[int, str, Amounts]],
    total: int,
) -> Insights:
    """Of these tasks, and what they have used: by their numbers and models."""
    begins = [begin for _, begin in days]
    sums: defaultdict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
    of_task = {}
    for task in tasks:
        day = bisect_right(begins, task.finished_at) - 1
        of_task[task.id] = (
            task,
            [
                sums["overall",],
                sums["day", day],
                sums["project", task.project],
                sums["agent", task.agent],
                sums["title", task.project, task.title],
            ],
        )
        for known in of_task[task.id][1]:
            known.add(task)
    for id_, model, amounts in used:
        task, known_of = of_task[id_]
        for known in known_of:
            known.usage = known.usage.plus(amounts)
        of_model = sums["model", model]
        of_model.add(task)
        of_model.usage = of_model.usage.plus(amounts)
    kinds: defaultdict[str, list[Line]] = defaultdict(list)
    for (kind, *name), known in sums.items():
        if kind not in ("overall", "day"):
            kinds[kind].append(Line((*name,), known.figures))
    return Insights(
        *(begins[0], begins[-1], total, sums["overall",].figures),
        [(day, sums["day", number].figures) for number, (day, _) in enumerate(days[:-1])],
        *(_lines(kinds[kind]) for kind in ("project", "agent", "model", "title")),
    )


class _Sum:
    """Tasks that are alike, and what they have used."""

    __slots__ = ("completed", "durations", "usage")

    def __init__(self) -> None:
        self.completed = 0
        self.durations: list[int] = []
        self.usage = NOTHING

    def add(self, task: EndedTask) -> None:
        """One more."""
        self.completed += task.status == Status.COMPLETED
        self.durations.append(task.duration_ms)

    @property
    def figures(self) -> Figures:
        """Of all of them."""
        durations = self.durations
        middle = round(median(durations)) if durations else 0
        failed = len(durations) - self.completed
        return Figures(self.completed, failed, sum(durations), middle, self.usage)


def _lines(lines: Sequence[Line]) -> Lines:
    def order(line: Line) -> tuple[Any, ...]:
        figures = line.figures
        return -figures.usage.cost_micros, -figures.completed - figures.failed, line.name

    return Lines(sorted(lines, key=order)[:MAX_LINES], len(lines))
