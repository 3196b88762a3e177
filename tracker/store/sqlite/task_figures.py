"""Figures of the tasks that a query chooses.

Without a filter they are the counters', as in statistics; else they are added up over the tasks,
no more than `SAMPLE`, so that the cost does not grow with them.
"""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any, Final

import apsw

from tracker.domain.records import StatusCounts, TaskFigures
from tracker.store.sqlite import usage_reads
from tracker.store.sqlite.columns import fill, summed
from tracker.store.sqlite.task_filters import Chosen

SAMPLE: Final = 5000
"""How many of the newest tasks are looked at."""

_LOOKED_AT: Final = "SELECT id, status, duration_ms FROM tasks WHERE id IN ({newest})"
_COUNTERS: Final = fill(
    "SELECT {sums} FROM projects WHERE {projects}",
    sums=summed((*StatusCounts._fields, "duration_ms")),
)


def of(
    connection: apsw.Connection, chosen: Chosen, newest: str, parameters: dict[str, Any], total: int
) -> TaskFigures:
    """Over all `total` of them, or the `newest`: SQL for their ids."""
    rows: list[Any] = connection.execute(fill(_LOOKED_AT, newest=newest), parameters).fetchall()
    durations = [duration for _, _, duration in rows if duration is not None]
    middle = round(median(durations)) if durations else 0
    if not chosen.filters:
        *counts, duration = connection.execute(
            fill(_COUNTERS, projects=chosen.among.projects), chosen.parameters
        ).get
        used = usage_reads.within(connection, chosen.among.projects, chosen.among.parameters)
        return TaskFigures(StatusCounts._make(counts), duration, middle, used, len(rows), True)
    by_status = Counter(status for _, status, _ in rows)
    return TaskFigures(
        StatusCounts._make([by_status[status] for status in StatusCounts._fields]),
        sum(durations),
        middle,
        usage_reads.total_of_tasks(connection, (id_ for id_, _, _ in rows)),
        len(rows),
        len(rows) == total,
    )
