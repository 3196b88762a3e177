"""Recomputes the counters that triggers keep, to show that they never drift."""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw

# For each table of counters: its key, its counters, and the same from the tasks themselves.
_PROJECTS = """
  SELECT name, pending, running, completed, failed, duration_ms FROM projects
"""
_PROJECTS_RECOUNTED = """
  SELECT projects.name,
    coalesce(sum(tasks.status = 'pending'), 0), coalesce(sum(tasks.status = 'running'), 0),
    coalesce(sum(tasks.status = 'completed'), 0), coalesce(sum(tasks.status = 'failed'), 0),
    coalesce(sum(tasks.duration_ms), 0)
  FROM projects LEFT JOIN tasks ON tasks.project_id = projects.id GROUP BY projects.id
"""
_AGENTS = """
  SELECT name, task_count, completed, failed, duration_ms FROM agents
"""
_AGENTS_RECOUNTED = """
  SELECT agent, count(*), sum(status = 'completed'), sum(status = 'failed'),
    coalesce(sum(duration_ms), 0)
  FROM tasks GROUP BY agent
"""
_DAYS = """
  SELECT project_id || ' on day ' || day, completed, failed FROM days
"""
_DAYS_RECOUNTED = """
  SELECT project_id || ' on day ' || (finished_at / 86400000),
    sum(status = 'completed'), sum(status = 'failed')
  FROM tasks WHERE finished_at IS NOT NULL GROUP BY project_id, finished_at / 86400000
"""
_TABLES = (
    ("projects", _PROJECTS, _PROJECTS_RECOUNTED),
    ("agents", _AGENTS, _AGENTS_RECOUNTED),
    ("days", _DAYS, _DAYS_RECOUNTED),
)

Counters = tuple[Any, ...]


class Mismatch(NamedTuple):
    """A row of counters that is not what the tasks add up to; None: there is no such row."""

    table: str
    row: str
    kept: Counters | None
    recounted: Counters | None


def recount(connection: apsw.Connection) -> list[Mismatch]:
    """Every row of counters that differs from a recount. Reads all tasks."""
    mismatches = []
    for table, kept_sql, recounted_sql in _TABLES:
        kept = _by_name(connection, kept_sql)
        recounted = _by_name(connection, recounted_sql)
        mismatches += [
            Mismatch(table, name, kept.get(name), recounted.get(name))
            for name in sorted(kept.keys() | recounted.keys())
            if kept.get(name) != recounted.get(name)
        ]
    return mismatches


def _by_name(connection: apsw.Connection, sql: str) -> dict[str, Counters]:
    return {name: tuple(counters) for name, *counters in connection.execute(sql)}
