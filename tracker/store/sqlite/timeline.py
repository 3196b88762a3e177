"""What was under way in a range of time. The cost grows with the tasks that have ended since it
began, of the projects that are asked for."""

from __future__ import annotations

from typing import Final

import apsw

from tracker.domain.principal import Scope
from tracker.domain.tasks import ACTIVE
from tracker.domain.timeline import (
    MAX_INTERVALS,
    MAX_LOOKED_AT,
    Group,
    Interval,
    Timeline,
    TimelineQuery,
    tracks,
)
from tracker.store.sqlite.columns import fill, quoted
from tracker.store.sqlite.scope import IN_SCOPE, parameter

_ENDED: Final = """
  SELECT {columns} FROM tasks
  WHERE finished_at >= :begin AND +started_at < :end {limit}
"""
_ENDED_IN_SCOPE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND finished_at >= :begin AND +started_at < :end
  WHERE {in_scope} {limit}
""",
    in_scope=IN_SCOPE,
)
_ACTIVE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND tasks.status IN ({active}) AND started_at < :end
  WHERE {count} > 0 AND :now >= :begin AND {in_scope}
""",
    active=quoted(ACTIVE),
    count=" + ".join(f"projects.{status}" for status in ACTIVE),
    in_scope=IN_SCOPE,
)
_LIMIT: Final = "LIMIT :most"
_FIRST: Final = "max(0, (started_at - :begin) / :width)"
# Sorted by one number, nearly: by agent and state first it would take half as long again.
_GROUPS: Final = fill(
    """
  SELECT agent, place % (:bins + 1), place / (:bins + 1),
    0, 0, count(*) - sum(status = 'failed'), sum(status = 'failed')
  FROM (
    SELECT agent, status, {first} + (:bins + 1) * min(:bins, (finished_at - :begin) / :width)
      AS place
    FROM ({ended})
  ) GROUP BY place, agent
  UNION ALL
  SELECT agent, {first} AS first, max({first}, min(:bins - 1, (:now - :begin) / :width)),
    sum(status = 'pending'), sum(status = 'running'), 0, 0
  FROM ({active}) GROUP BY first, agent
""",
    first=_FIRST,
    active=fill(_ACTIVE, columns="agent, status, started_at"),
)
_COUNT: Final = "SELECT count(*) FROM ({ended})"
_INTERVALS: Final = fill(
    """
  SELECT id, (SELECT name FROM projects WHERE projects.id = tasks.project_id), {columns}
  FROM tasks WHERE id IN ({ended} UNION ALL {active}) ORDER BY started_at, id
""",
    columns=", ".join(name for name in Interval._fields if name not in ("id", "project")),
    active=fill(_ACTIVE, columns="tasks.id"),
)


def of(connection: apsw.Connection, now: int, scope: Scope, query: TimelineQuery) -> Timeline:
    """The range, at the time `now`."""
    scope = scope.narrowed_to(query.projects)
    ended = _ENDED if scope.projects is None else _ENDED_IN_SCOPE
    of_ = {
        **{"begin": query.begin, "end": query.end, "width": query.width, "bins": query.bins},
        **{"now": now, "scope": parameter(scope), "most": MAX_LOOKED_AT},
    }
    looked_at = fill(ended, columns="agent, status, started_at, finished_at", limit=_LIMIT)
    groups = [Group._make(row) for row in connection.execute(fill(_GROUPS, ended=looked_at), of_)]
    total = sum(group.total for group in groups)
    left_out = 0
    if total >= MAX_LOOKED_AT:
        count = fill(_COUNT, ended=fill(ended, columns="1", limit=""))
        left_out = max(0, connection.execute(count, of_).get - MAX_LOOKED_AT)
    intervals = None
    if total <= MAX_INTERVALS:
        sql = fill(_INTERVALS, ended=fill(ended, columns="tasks.id", limit=""))
        intervals = [Interval._make(row) for row in connection.execute(sql, of_)]
    shown, others = tracks(groups, query.bins)
    return Timeline(query, shown, others, intervals, left_out)
