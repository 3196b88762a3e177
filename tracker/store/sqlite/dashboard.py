"""Tasks over all projects: what runs, what ended last, what a search finds, how long tasks take.

Texts are cut: these are lines of a list. Every read is bounded by a limit and an index.
"""

from __future__ import annotations

from typing import Any

import apsw

from tracker.clock import MS_PER_DAY
from tracker.domain.durations import SAMPLE_SIZE, measure
from tracker.domain.limits import MAX_LINE_TEXT, MAX_NAME
from tracker.domain.records import DayCount, Now, TaskLine, Trends
from tracker.domain.tasks import ACTIVE
from tracker.store.sqlite import events
from tracker.store.sqlite.columns import fill, listed, quoted
from tracker.store.sqlite.search import match_expression

_EXPRESSIONS = {
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
    WHERE {count} > 0
    ORDER BY tasks.started_at DESC, tasks.id DESC LIMIT ?
  ) ORDER BY started_at DESC, id DESC
""",
    active=quoted(ACTIVE),
    count=" + ".join(f"projects.{status}" for status in ACTIVE),
)
_ENDED = """
  SELECT {columns} FROM tasks WHERE finished_at IS NOT NULL
  ORDER BY finished_at DESC, id DESC LIMIT ?
"""
_FOUND = """
  SELECT {columns} FROM tasks WHERE id IN (
    SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?
  ) ORDER BY id DESC
"""
_TODAY = """
  SELECT coalesce(sum(completed), 0), coalesce(sum(failed), 0) FROM days WHERE day = ?
"""
_DAYS = """
  SELECT day, sum(completed), sum(failed) FROM days GROUP BY day ORDER BY day DESC LIMIT ?
"""
_DURATIONS = """
  SELECT agent, duration_ms FROM tasks WHERE finished_at IS NOT NULL
  ORDER BY finished_at DESC, id DESC LIMIT ?
"""


def now(connection: apsw.Connection, at: int, active: int, ended: int) -> Now:
    """The newest active and the latest ended tasks, the ends of the day (UTC) of `at`, and the
    last event that all this knows of."""
    today = at // MS_PER_DAY
    completed, failed = connection.execute(_TODAY, (today,)).get
    return Now(
        DayCount(today, completed, failed),
        _tasks(connection, _ACTIVE, active),
        _tasks(connection, _ENDED, ended),
        events.last_id(connection),
    )


def search(connection: apsw.Connection, text: str, limit: int) -> list[TaskLine]:
    """The newest tasks that hold all of the words."""
    return _tasks(connection, _FOUND, match_expression(text), limit)


def trends(connection: apsw.Connection, days: int) -> Trends:
    """Ends a day (the last `days` that saw one), and how long the latest tasks took."""
    timeline = connection.execute(_DAYS, (days,)).fetchall()
    return Trends(
        [DayCount._make(day) for day in reversed(timeline)],
        measure(connection.execute(_DURATIONS, (SAMPLE_SIZE,))),
    )


def _tasks(connection: apsw.Connection, sql: str, *parameters: Any) -> list[TaskLine]:
    rows = connection.execute(sql.format(columns=_COLUMNS), parameters)
    return [TaskLine._make(row) for row in rows]
