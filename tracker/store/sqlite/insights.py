"""Tasks that ended in the last days, and those of a title. Every read is bounded by a limit and an
index."""

from __future__ import annotations

from typing import Final

import apsw

from tracker.domain.insights import (
    MAX_ENDED,
    EndedTask,
    Insights,
    InsightsQuery,
    insights,
    local_days,
)
from tracker.domain.principal import Scope
from tracker.domain.records import Ends
from tracker.store.sqlite import usage_reads
from tracker.store.sqlite.columns import fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter

_IN_RANGE: Final = "finished_at >= :begin AND finished_at < :end"
_ENDED: Final = fill("SELECT {columns} FROM tasks WHERE {range} {order}", range=_IN_RANGE)
_ENDED_IN_SCOPE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND {range}
  WHERE {in_scope} {order}
""",
    range=_IN_RANGE,
    in_scope=IN_SCOPE,
)
_COLUMNS: Final = listed(
    "(SELECT name FROM projects WHERE projects.id = tasks.project_id)"
    if name == "project"
    else f"tasks.{name}"
    for name in EndedTask._fields
)
_BY_STATUS: Final = """
  coalesce(sum(tasks.status = 'completed'), 0), coalesce(sum(tasks.status = 'failed'), 0)
"""
_LATEST: Final = "ORDER BY tasks.finished_at DESC LIMIT :most"


def ends(connection: apsw.Connection, scope: Scope, begin: int, end: int) -> Ends:
    """How many tasks ended in this time: the cost grows with them."""
    sql = fill(_in(scope), columns=_BY_STATUS, order="")
    of_ = {"begin": begin, "end": end, "scope": parameter(scope)}
    return Ends._make(connection.execute(sql, of_).get)


def of(connection: apsw.Connection, now: int, scope: Scope, query: InsightsQuery) -> Insights:
    """The last days until `now`."""
    scope = scope.narrowed_to(query.projects)
    days = local_days(query.zone, now, query.days)
    ended = _in(scope)
    of_ = {
        **{"begin": days[0][1], "end": days[-1][1]},
        **{"scope": parameter(scope), "most": MAX_ENDED},
    }
    rows = connection.execute(fill(ended, columns=_COLUMNS, order=_LATEST), of_)
    tasks = [EndedTask._make(row) for row in rows]
    total = len(tasks)
    if total == MAX_ENDED:
        total = connection.execute(fill(ended, columns="count(*)", order=""), of_).get
    used = usage_reads.by_task_and_model(connection, (task.id for task in tasks))
    return insights(days, tasks, used, int(total))


def _in(scope: Scope) -> str:
    return _ENDED if scope.projects is None else _ENDED_IN_SCOPE
