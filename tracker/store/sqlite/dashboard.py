"""Tasks over all projects: what runs, what ended last, what a search finds, how long tasks take.

Texts are cut: these are lines of a list. Every read is bounded by a limit and an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import apsw
import orjson

from tracker.clock import MS_PER_DAY
from tracker.domain import shortening
from tracker.domain.durations import SAMPLE_SIZE, measure
from tracker.domain.insights import local_days
from tracker.domain.limits import MAX_LINE_TEXT, MAX_NAME
from tracker.domain.principal import Scope
from tracker.domain.records import DayCount, Ends, Now, TaskLine, Trends
from tracker.domain.tasks import ACTIVE
from tracker.store.sqlite import events, insights, projects
from tracker.store.sqlite import scope as of_scope
from tracker.store.sqlite.columns import DERIVED, fill, listed, quoted
from tracker.store.sqlite.scope import IN_SCOPE, parameter
from tracker.store.sqlite.search import match

_EXPRESSIONS = {
    **DERIVED,
    "project": "(SELECT name FROM projects WHERE projects.id = tasks.project_id)",
    "message": f"substr(message, 1, {MAX_LINE_TEXT})",
    "result": f"substr(result, 1, {MAX_LINE_TEXT})",
    "error_type": f"substr(error_type, 1, {MAX_NAME})",
    "error_message": f"substr(error_message, 1, {MAX_LINE_TEXT})",
}
_COLUMNS = listed(_EXPRESSIONS.get(name, name) for name in TaskLine._fields)
_ACTIVE = fill(
    """
  SELECT {columns} FROM tasks WHERE id IN (
    SELECT tasks.id FROM projects CROSS JOIN tasks
      ON tasks.project_id = projects.id AND tasks.status IN ({active})
    WHERE {count} > 0 AND {in_scope}
    ORDER BY tasks.started_at DESC, tasks.id DESC LIMIT :limit
  ) ORDER BY started_at DESC, id DESC
""",
    active=quoted(ACTIVE),
    count=" + ".join(f"projects.{status}" for status in ACTIVE),
    in_scope=IN_SCOPE,
)
_ENDED = """
  SELECT {columns} FROM tasks WHERE id IN ({ended}) ORDER BY finished_at DESC, id DESC
"""
_FOUND = """
  SELECT {columns} FROM tasks WHERE id IN (
    SELECT rowid FROM {index} WHERE {index} MATCH :q {filter} ORDER BY rowid DESC LIMIT :limit
  ) ORDER BY id DESC
"""
_FOUND_IN_SCOPE = fill(
    """
  AND rowid IN (
    SELECT tasks.id FROM projects JOIN tasks ON tasks.project_id = projects.id WHERE {in_scope}
  )
""",
    in_scope=IN_SCOPE,
)
_TODAY = fill(
    """
  SELECT coalesce(sum(days.completed), 0), coalesce(sum(days.failed), 0)
  FROM projects CROSS JOIN days ON days.project_id = projects.id AND days.day = :day
  WHERE {in_scope}
""",
    in_scope=IN_SCOPE,
)
# Of each session by itself: one that has many tasks takes no room from the others.
_IN_SESSIONS = """
  SELECT session, {columns} FROM tasks WHERE id IN (
    SELECT found.id FROM json_each(:sessions) AS wanted CROSS JOIN tasks AS found ON found.id IN (
      SELECT id FROM tasks
      WHERE project_id = wanted.value ->> 0 AND session = wanted.value ->> 1
        AND {condition}
      ORDER BY started_at DESC, id DESC LIMIT :limit
    )
  ) ORDER BY started_at DESC, id DESC
"""
_DAYS = fill(
    """
  SELECT days.day, sum(days.completed), sum(days.failed)
  FROM projects CROSS JOIN days ON days.project_id = projects.id
  WHERE {in_scope} GROUP BY days.day ORDER BY days.day DESC LIMIT :limit
""",
    in_scope=IN_SCOPE,
)
_DURATIONS = """
  SELECT agent, duration_ms FROM tasks WHERE id IN ({ended}) ORDER BY finished_at DESC, id DESC
"""


def now(
    connection: apsw.Connection, scope: Scope, at: int, active: int, ended: int, zone: tzinfo
) -> Now:
    """The newest active and the latest ended tasks, the ends of the day of `at`, and the last event
    that all this knows of."""
    return Now(
        _ends_today(connection, scope, at, zone),
        _tasks(connection, at, _ACTIVE, scope, active),
        _tasks(connection, at, _ENDED.replace("{ended}", of_scope.ended(scope)), scope, ended),
        events.last_id(connection),
    )


def _ends_today(connection: apsw.Connection, scope: Scope, at: int, zone: tzinfo) -> Ends:
    """Those of a day of UTC are kept; others are counted, by the tasks that ended on it."""
    (_, begin), (_, end) = local_days(zone, at, 1)
    day, into = divmod(begin, MS_PER_DAY)
    if into or end - begin != MS_PER_DAY:
        return insights.ends(connection, scope, begin, end)
    return Ends._make(connection.execute(_TODAY, {"scope": parameter(scope), "day": day}).get)


def search(
    connection: apsw.Connection, scope: Scope, at: int, text: str, limit: int
) -> list[TaskLine]:
    """The newest tasks that hold all of the words, at the time `at`."""
    ids = None if scope.projects is None else projects.ids(connection, scope)
    index, expression = match(connection, ids, text)
    filter_ = _FOUND_IN_SCOPE if ids is not None and index == "search" else ""
    sql = _FOUND.replace("{index}", index).replace("{filter}", filter_)
    return _tasks(connection, at, sql, scope, limit, q=expression)


def of_sessions(
    connection: apsw.Connection,
    at: int,
    sessions: Sequence[tuple[int, str]],
    limit: int,
    *,
    at_work: bool = False,
) -> dict[tuple[str, str], list[TaskLine]]:
    """By project and session, the newest tasks of agents' sessions: `limit` of each, which is given
    by its project's number and its name. `at_work`: of those that have not ended."""
    condition = "finished_at IS NULL" if at_work else "TRUE"
    sql = _IN_SESSIONS.format(columns=_COLUMNS, condition=condition)
    of = {"now": at, "sessions": orjson.dumps(sessions).decode(), "limit": limit}
    found: defaultdict[tuple[str, str], list[TaskLine]] = defaultdict(list)
    for session, *columns in connection.execute(sql, of):
        line = TaskLine._make(columns)
        found[line.project, str(session)].append(line)
    return found


def trends(connection: apsw.Connection, scope: Scope, days: int) -> Trends:
    """Ends a day (the last `days` that saw one), and how long the latest tasks took."""
    parameters = {"scope": parameter(scope)}
    timeline = connection.execute(_DAYS, {**parameters, "limit": days}).fetchall()
    durations = _DURATIONS.replace("{ended}", of_scope.ended(scope))
    return Trends(
        [DayCount._make(day) for day in reversed(timeline)],
        measure(connection.execute(durations, {**parameters, "limit": SAMPLE_SIZE})),
    )


def _tasks(
    connection: apsw.Connection, at: int, sql: str, scope: Scope, limit: int, **parameters: Any
) -> list[TaskLine]:
    parameters |= {"now": at, "scope": parameter(scope), "limit": limit}
    rows = connection.execute(sql.format(columns=_COLUMNS), parameters)
    lines = (TaskLine._make(row) for row in rows)
    return [line._replace(requests=shortening.requests(line.requests)) for line in lines]
