"""Statistics, from the counters that triggers keep (see the first migration)."""

from __future__ import annotations

import apsw

from tracker.domain.principal import Scope
from tracker.domain.records import (
    Activity,
    AgentFigures,
    DayCount,
    OverallStats,
    ProjectStats,
    StatusCounts,
)
from tracker.domain.tasks import NO_REPORTS
from tracker.store.sqlite import usage_reads
from tracker.store.sqlite.columns import fill, listed, quoted, summed
from tracker.store.sqlite.scope import IN_SCOPE, events_in, parameter

_OVERVIEW = fill(
    "SELECT count(*), {sums} FROM projects WHERE {in_scope}",
    sums=summed((*StatusCounts._fields, "duration_ms")),
    in_scope=IN_SCOPE,
)
_AGENTS = """
  SELECT name, task_count, completed, failed, duration_ms
  FROM agents ORDER BY task_count DESC, name LIMIT 100
"""
_AGENTS_IN_SCOPE = fill(
    """
  SELECT agents.name, sum(task_count) AS tasks, sum(agents.completed), sum(agents.failed),
    sum(agents.duration_ms)
  FROM projects CROSS JOIN project_agents AS agents ON agents.project_id = projects.id
  WHERE {in_scope} GROUP BY agents.name ORDER BY tasks DESC, agents.name LIMIT 100
""",
    in_scope=IN_SCOPE,
)
_RECENT = """
  SELECT projects.name, events.data ->> 'task_id', events.data ->> 'status', events.at
  FROM events JOIN projects ON projects.id = events.project_id
  {condition} ORDER BY events.id DESC LIMIT :limit
"""
# Not of what the server tells by itself, or people have done.
_BY_REPORTS = f"type NOT IN ({quoted(NO_REPORTS)})"
_RECENT_IN_SCOPE = f"WHERE events.id IN ({events_in(_BY_REPORTS, 'DESC')})"
_RECENT_LIMIT = 10
_PROJECT = fill(
    "SELECT id, {counts}, duration_ms FROM projects WHERE name = ?",
    counts=listed(StatusCounts._fields),
)
_TIMELINE = """
  SELECT day, completed, failed FROM days WHERE project_id = ? ORDER BY day DESC LIMIT ?
"""


def overall(connection: apsw.Connection, scope: Scope) -> OverallStats:
    """The figures over all projects of the scope."""
    of = {"scope": parameter(scope)}
    projects, *counts, duration = connection.execute(_OVERVIEW, of).get
    agents, recent = _AGENTS, _RECENT.format(condition=f"WHERE events.{_BY_REPORTS}")
    if scope.projects is not None:
        agents, recent = _AGENTS_IN_SCOPE, _RECENT.format(condition=_RECENT_IN_SCOPE)
    return OverallStats(
        projects,
        StatusCounts._make(counts),
        duration,
        usage_reads.with_usage(
            connection, scope, (AgentFigures(*row) for row in connection.execute(agents, of))
        ),
        [Activity._make(row) for row in connection.execute(recent, {**of, "limit": _RECENT_LIMIT})],
        usage_reads.overall(connection, scope),
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
        usage_reads.of_project(connection, id_),
        usage_reads.by_day(connection, id_, days),
    )
