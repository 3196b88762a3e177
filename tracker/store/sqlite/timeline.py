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
from tracker.store.sqlite.scope import IN_SCOPE
from tracker.store.sqlite.task_filters import choose, within

_ENDED: Final = """
  SELECT {columns} FROM tasks
  WHERE finished_at >= :begin AND +started_at < :end AND {where} {limit}
"""
_ENDED_IN_SCOPE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND finished_at >= :begin AND +started_at < :end
  WHERE {in_scope} AND {where} {limit}
""",
    in_scope=IN_SCOPE,
)
_ACTIVE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND tasks.status IN ({active}) AND started_at < :end
  WHERE {count} > 0 AND :now >= :begin AND {in_scope} AND {where}
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
    scope = scope.narrowed_to(query.chosen.projects)
    chosen = choose(connection, now, within(connection, scope), query.chosen, apart=False)
    ended = _ENDED if scope.projects is None else _ENDED_IN_SCOPE
    of_ = chosen.parameters | {
        **{"begin": query.begin, "end": query.end, "width": query.width, "bins": query.bins},
        "most": MAX_LOOKED_AT,
    }

    def rows(sql: str, columns: str, limit: str = "") -> apsw.Cursor:
        sql = fill(sql, ended=fill(ended, columns=columns, limit=limit))
        return connection.execute(chosen.fill(sql), of_)

    looked_at = rows(_GROUPS, "agent, status, started_at, finished_at", _LIMIT)
    groups = [Group._make(row) for row in looked_at]
    total = sum(group.total for group in groups)
    left_out = 0
    if total >= MAX_LOOKED_AT:
        left_out = max(0, rows(_COUNT, "1").get - MAX_LOOKED_AT)
    intervals = None
    if total <= MAX_INTERVALS:
        intervals = [Interval._make(row) for row in rows(_INTERVALS, "tasks.id")]
    shown, others = tracks(groups, query.bins)
    return Timeline(query, shown, others, intervals, left_out)
