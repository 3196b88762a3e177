"""Recomputes the counters that triggers keep, to show that they never drift."""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw

from tracker.store.sqlite.columns import ENDS, STATUSES, fill, listed, summed

# For each table of counters: its key, its counters, and the same from the tasks themselves.
_PROJECTS = fill("SELECT name, {counts}, duration_ms FROM projects", counts=listed(STATUSES))
_PROJECTS_RECOUNTED = fill(
    """
  SELECT projects.name, {sums}
  FROM projects LEFT JOIN tasks ON tasks.project_id = projects.id GROUP BY projects.id
""",
    sums=summed([*(f"tasks.status = '{status}'" for status in STATUSES), "tasks.duration_ms"]),
)
_AGENTS = fill("SELECT name, task_count, {ends}, duration_ms FROM agents", ends=listed(ENDS))
_AGENTS_RECOUNTED = fill(
    "SELECT agent, count(*), {sums} FROM tasks GROUP BY agent",
    sums=summed([*(f"status = '{status}'" for status in ENDS), "duration_ms"]),
)
_PROJECT_AGENTS = fill(
    """
  SELECT name || ' in project ' || project_id, task_count, {ends}, duration_ms FROM project_agents
""",
    ends=listed(ENDS),
)
_PROJECT_AGENTS_RECOUNTED = fill(
    """
  SELECT agent || ' in project ' || project_id, count(*), {sums}
  FROM tasks GROUP BY project_id, agent
""",
    sums=summed([*(f"status = '{status}'" for status in ENDS), "duration_ms"]),
)
_DAYS = fill("SELECT project_id || ' on day ' || day, {ends} FROM days", ends=listed(ENDS))
_DAYS_RECOUNTED = fill(
    """
  SELECT project_id || ' on day ' || (finished_at / 86400000), {sums}
  FROM tasks WHERE finished_at IS NOT NULL GROUP BY project_id, finished_at / 86400000
""",
    sums=summed(f"status = '{status}'" for status in ENDS),
)
_TABLES = (
    ("projects", _PROJECTS, _PROJECTS_RECOUNTED),
    ("agents", _AGENTS, _AGENTS_RECOUNTED),
    ("project_agents", _PROJECT_AGENTS, _PROJECT_AGENTS_RECOUNTED),
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
    """Every row of counters that differs from a recount. Reads all tasks. Databases that have not
    been upgraded yet may lack a table."""
    mismatches = []
    for table, kept_sql, recounted_sql in _TABLES:
        if not connection.table_exists("main", table):
            continue
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
