"""Recomputes the counters that triggers keep, to show that they never drift."""

from __future__ import annotations

from operator import gt
from typing import Any, NamedTuple

import apsw

from tracker.domain.limits import MAX_USAGE_SUM
from tracker.domain.usage import Amounts
from tracker.store.sqlite.columns import ENDS, STATUSES, fill, listed, summed
from tracker.store.sqlite.usage import ALL_PROJECTS

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
_SESSION_COUNTS = summed(f"tasks.status = '{status}'" for status in STATUSES)
_SESSIONS = fill(
    "SELECT session || ' in project ' || project_id, {counts} FROM agent_sessions WHERE {any}",
    counts=listed(STATUSES),
    any=f"{' + '.join(STATUSES)} > 0",  # one that was plugged in may have no task yet
)
_SESSIONS_RECOUNTED = fill(
    """
  SELECT session || ' in project ' || project_id, {sums}
  FROM tasks WHERE session IS NOT NULL GROUP BY project_id, session
""",
    sums=_SESSION_COUNTS,
)
_SESSIONS_OF_PROJECTS = "SELECT 'sessions of ' || name, sessions, sessions_at_work FROM projects"
_SESSIONS_OF_PROJECTS_RECOUNTED = """
  SELECT 'sessions of ' || projects.name, count(agent_sessions.id),
    coalesce(sum(
      agent_sessions.pending + agent_sessions.running + agent_sessions.lives > 0
    ), 0)
  FROM projects LEFT JOIN agent_sessions ON agent_sessions.project_id = projects.id
  GROUP BY projects.id
"""
_USED = ", ".join(f"min(sum(used.{name}), {MAX_USAGE_SUM})" for name in Amounts._fields)
_SHARES = fill(
    """
  SELECT model || ' of task ' || task, {sums} FROM usage_shares AS used GROUP BY task, model
""",
    sums=_USED,
)
_SHARES_RECOUNTED = fill(
    """
  SELECT model || ' of task ' || task, {sums}
  FROM usage AS used WHERE shown GROUP BY task, model HAVING max({sums}) > 0
""",
    sums=", ".join(f"coalesce(sum(used.{name}), 0)" for name in Amounts._fields),
)
_SUMS = fill(
    "SELECT kind || ' ' || name || ' in project ' || project_id, {columns} FROM usage_sums",
    columns=listed(Amounts._fields),
)
_SUMS_RECOUNTED = " UNION ALL ".join(
    fill(
        """
  SELECT '{kind} ' || {name} || ' in project ' || {project}, {sums}
  FROM usage_shares AS used JOIN tasks ON tasks.id = used.task
  WHERE {name} IS NOT NULL GROUP BY {project} + 0, {name}
""",
        kind=kind,
        name=name,
        project=project,
        sums=_USED,
    )
    for kind, name, project in (
        ("agent", "used.agent", str(ALL_PROJECTS)),
        ("model", "used.model", str(ALL_PROJECTS)),
        ("agent", "used.agent", "tasks.project_id"),
        ("model", "used.model", "tasks.project_id"),
        ("day", "used.day", "tasks.project_id"),
        ("session", "tasks.session", "tasks.project_id"),
    )
)
_TABLES = (
    ("projects", _PROJECTS, _PROJECTS_RECOUNTED),
    ("agents", _AGENTS, _AGENTS_RECOUNTED),
    ("project_agents", _PROJECT_AGENTS, _PROJECT_AGENTS_RECOUNTED),
    ("days", _DAYS, _DAYS_RECOUNTED),
    ("agent_sessions", _SESSIONS, _SESSIONS_RECOUNTED),
    ("agent_sessions", _SESSIONS_OF_PROJECTS, _SESSIONS_OF_PROJECTS_RECOUNTED),
    ("usage_shares", _SHARES, _SHARES_RECOUNTED),
    ("usage_sums", _SUMS, _SUMS_RECOUNTED),
)
# Tasks that were pruned stay in them.
_LEFT_BY_PRUNING = ("usage_sums",)
_IS_PRUNED = "SELECT pruned > 0 FROM marks"

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
    pruned = bool(connection.execute(_IS_PRUNED).get)
    for table, kept_sql, recounted_sql in _TABLES:
        if not connection.table_exists("main", table):
            continue
        kept = _by_name(connection, kept_sql)
        recounted = _by_name(connection, recounted_sql)
        if pruned and table in _LEFT_BY_PRUNING:
            kept, recounted = _less_than_recounted(kept, recounted)
        mismatches += [
            Mismatch(table, name, kept.get(name), recounted.get(name))
            for name in sorted(kept.keys() | recounted.keys())
            if kept.get(name) != recounted.get(name)
        ]
    return mismatches


def _less_than_recounted(
    kept: dict[str, Counters], recounted: dict[str, Counters]
) -> tuple[dict[str, Counters], dict[str, Counters]]:
    """Of each, the rows where less is kept than was counted."""
    nothing = Amounts()
    less = {
        name
        for name, counters in recounted.items()
        if any(map(gt, counters, kept.get(name, nothing)))
    }
    return (
        {name: kept[name] for name in less if name in kept},
        {name: recounted[name] for name in less},
    )


def _by_name(connection: apsw.Connection, sql: str) -> dict[str, Counters]:
    return {name: tuple(counters) for name, *counters in connection.execute(sql)}
