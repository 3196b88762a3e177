"""Statistics, from the counters that triggers keep (see the first migration)."""

from __future__ import annotations

import apsw

from tracker.domain.records import (
    Activity,
    AgentFigures,
    DayCount,
    OverallStats,
    ProjectStats,
    StatusCounts,
)
from tracker.store.sqlite.columns import fill, listed, summed

_OVERVIEW = fill(
    "SELECT count(*), {sums} FROM projects", sums=summed((*StatusCounts._fields, "duration_ms"))
)
_AGENTS = """
  SELECT name, task_count, completed, failed, duration_ms
  FROM agents ORDER BY task_count DESC, name LIMIT 100
"""
_RECENT = """
  SELECT projects.name, events.data ->> 'task_id', events.data ->> 'status', events.at
  FROM events JOIN projects ON projects.id = events.project_id
  ORDER BY events.id DESC LIMIT 10
"""
_PROJECT = fill(
    "SELECT id, {counts}, duration_ms FROM projects WHERE name = ?",
    counts=listed(StatusCounts._fields),
)
_TIMELINE = """
  SELECT day, completed, failed FROM days WHERE project_id = ? ORDER BY day DESC LIMIT ?
"""


def overall(connection: apsw.Connection) -> OverallStats:
    """The figures over all projects."""
    projects, *counts, duration = connection.execute(_OVERVIEW).get
    return OverallStats(
        projects,
        StatusCounts._make(counts),
        duration,
        [AgentFigures._make(row) for row in connection.execute(_AGENTS)],
        [Activity._make(row) for row in connection.execute(_RECENT)],
    )


def of_project(connection: apsw.Connection, name: str, days: int) -> ProjectStats | None:
    """One project's, with the last `days` days that saw an end."""
    row = connection.execute(_PROJECT, (name,)).fetchone()
    if row is None:
        return None
    id_, *counts, duration = row
    timeline = connection.execute(_TIMELINE, (id_, days)).fetchall()
    return ProjectStats(
        name,
        StatusCounts._make(counts),
        duration,
        [DayCount._make(day) for day in reversed(timeline)],
    )
