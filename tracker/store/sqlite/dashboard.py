"""Tasks over all projects: what runs, what ended last, what a search finds, how long tasks take.

Texts are cut: these are lines of a list. Every read is bounded by a limit and an index.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Any

import apsw

from tracker.clock import MS_PER_DAY, iso, iso_date
from tracker.domain.tasks import seconds, whole
from tracker.store.sqlite import events
from tracker.store.sqlite.search import match_expression

_COLUMNS = """
  id, (SELECT name FROM projects WHERE projects.id = tasks.project_id), task_id, title, status,
  progress, agent, attempt, started_at, finished_at, duration_ms, substr(message, 1, 500),
  substr(result, 1, 500), substr(error_type, 1, 255), substr(error_message, 1, 500), updated_at
"""
_ACTIVE = """
  SELECT {columns} FROM tasks WHERE id IN (
    SELECT tasks.id FROM projects CROSS JOIN tasks
      ON tasks.project_id = projects.id AND tasks.status IN ('pending', 'running')
    WHERE projects.pending + projects.running > 0
    ORDER BY tasks.started_at DESC, tasks.id DESC LIMIT ?
  ) ORDER BY started_at DESC, id DESC
"""
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

# Of how many of the tasks that ended last the durations are told.
SAMPLE = 1000

# The upper bounds of the histogram's bars, in seconds; one more bar holds the rest.
BOUNDS = (1, 5, 15, 60, 300, 900, 3600, 14_400)


def now(connection: apsw.Connection, at: int, active: int, ended: int) -> dict[str, Any]:
    """The newest active and the latest ended tasks, the ends of the day (UTC) of `at`, and the
    last event that all this knows of."""
    completed, failed = connection.execute(_TODAY, (at // MS_PER_DAY,)).get
    return {
        "today": {"completed": completed, "failed": failed},
        "active": _tasks(connection, _ACTIVE, active),
        "ended": _tasks(connection, _ENDED, ended),
        "last_id": events.last_id(connection),
    }


def search(connection: apsw.Connection, text: str, limit: int) -> list[dict[str, Any]]:
    """The newest tasks that hold all of the words."""
    return _tasks(connection, _FOUND, match_expression(text), limit)


def trends(connection: apsw.Connection, days: int) -> dict[str, Any]:
    """Ends a day (the last `days` that saw one), and how long the latest tasks took: a histogram
    and each agent's median."""
    of_agent: dict[str, list[int]] = defaultdict(list)
    for agent, duration in connection.execute(_DURATIONS, (SAMPLE,)):
        of_agent[agent].append(duration)
    durations = [duration for some in of_agent.values() for duration in some]
    timeline = connection.execute(_DAYS, (days,)).fetchall()
    return {
        "timeline": [
            {"date": iso_date(day), "completed": completed, "failed": failed}
            for day, completed, failed in reversed(timeline)
        ],
        "durations": {
            "sample": len(durations),
            "median": seconds(round(median(durations))) if durations else 0,
            "histogram": _histogram(durations),
        },
        "agents": [
            {"name": name, "sample": len(some), "median_duration": seconds(round(median(some)))}
            for name, some in sorted(of_agent.items())
        ],
    }


def _histogram(durations: list[int]) -> list[dict[str, Any]]:
    counts = [0] * (len(BOUNDS) + 1)
    for duration in durations:
        counts[sum(duration > bound * 1000 for bound in BOUNDS)] += 1
    return [
        {"up_to": bound, "count": count}
        for bound, count in zip((*BOUNDS, None), counts, strict=True)
    ]


def _tasks(connection: apsw.Connection, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    rows = connection.execute(sql.format(columns=_COLUMNS), parameters)
    return [_line(row) for row in rows]


def _line(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("id", "project", "task_id", "title", "status", "progress", "agent", "attempt")
    texts = ("message", "result", "error_type", "error_message")
    started_at, finished_at, duration_ms = row[8:11]
    return {
        **dict(zip(names, row, strict=False)),
        "progress": whole(row[5]),
        "started_at": iso(started_at),
        "finished_at": None if finished_at is None else iso(finished_at),
        "duration_seconds": seconds(duration_ms),
        **dict(zip(texts, row[11:15], strict=True)),
        "updated_at": iso(row[15]),
    }
