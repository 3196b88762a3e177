"""Statistics, from the counters that triggers keep (see the first migration)."""

from __future__ import annotations

from typing import Any

import apsw

from tracker.clock import iso, iso_date

_OVERVIEW = """
  SELECT count(*), coalesce(sum(pending), 0), coalesce(sum(running), 0),
    coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(duration_ms), 0)
  FROM projects
"""
_AGENTS = """
  SELECT name, task_count, completed, failed, duration_ms
  FROM agents ORDER BY task_count DESC, name LIMIT 100
"""
_RECENT = """
  SELECT projects.name, events.data ->> 'task_id', events.data ->> 'status', events.at
  FROM events JOIN projects ON projects.id = events.project_id
  ORDER BY events.id DESC LIMIT 10
"""
_PROJECT = """
  SELECT id, pending, running, completed, failed, duration_ms FROM projects WHERE name = ?
"""
_TIMELINE = """
  SELECT day, completed, failed FROM days WHERE project_id = ? ORDER BY day DESC LIMIT ?
"""


def overall(connection: apsw.Connection) -> dict[str, Any]:
    """The figures of `/api/stats`: over all projects."""
    projects, pending, running, completed, failed, duration = connection.execute(_OVERVIEW).get
    total = pending + running + completed + failed
    return {
        "overview": {
            "total_projects": projects,
            "total_tasks": total,
            "active_tasks": pending + running,
            "completed_tasks": completed,
            "failed_tasks": failed,
        },
        "performance": {
            **_performance(total, completed, failed, duration),
            "total_duration": _seconds(duration),
        },
        "agents": [
            {"name": name, "task_count": count, **_performance(count, done, bad, took)}
            for name, count, done, bad, took in connection.execute(_AGENTS)
        ],
        "recent_activity": [
            {"project": project, "task_id": task_id, "status": status, "timestamp": iso(at)}
            for project, task_id, status, at in connection.execute(_RECENT)
        ],
    }


def of_project(connection: apsw.Connection, name: str, days: int) -> dict[str, Any] | None:
    """The figures of `/api/stats/projects/{name}`, with the last `days` days that saw an end."""
    row = connection.execute(_PROJECT, (name,)).fetchone()
    if row is None:
        return None
    id_, pending, running, completed, failed, duration = row
    total = pending + running + completed + failed
    timeline = connection.execute(_TIMELINE, (id_, days)).fetchall()
    return {
        "project": name,
        "task_stats": {
            "total": total,
            "completed": completed,
            "running": running,
            "failed": failed,
            "pending": pending,
        },
        "performance": _performance(total, completed, failed, duration),
        "timeline": [
            {"date": iso_date(day), "completed": done, "failed": bad}
            for day, done, bad in reversed(timeline)
        ],
    }


def _performance(total: int, completed: int, failed: int, duration_ms: int) -> dict[str, float]:
    """Rates in percent with one decimal (docs/contract.md, "Statistics"), durations in seconds."""
    ended = completed + failed
    return {
        "average_duration": _seconds(duration_ms / ended) if ended else 0,
        "success_rate": _percent(completed, total),
        "finished_success_rate": _percent(completed, ended),
    }


def _percent(part: int, of: int) -> float:
    return round(100 * part / of, 1) if of else 0.0


def _seconds(ms: float) -> float:
    return round(ms / 1000, 3)
