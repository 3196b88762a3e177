"""Tasks: one with its history, deleting one. Pages: `tracker.store.sqlite.task_pages`."""

from __future__ import annotations

import apsw

from tracker.domain.records import TaskDetail
from tracker.domain.tasks import TaskSummary
from tracker.store.sqlite import events as event_log
from tracker.store.sqlite import usage, usage_reads
from tracker.store.sqlite.task_pages import SUMMARY

_ONE = """
  SELECT {columns}, stack_trace FROM tasks
  WHERE task_id = :task_id AND project_id = (SELECT id FROM projects WHERE name = :project)
"""
_FIND = """
  SELECT id FROM tasks
  WHERE task_id = ? AND project_id = (SELECT id FROM projects WHERE name = ?)
"""
_DELETE = "DELETE FROM tasks WHERE id = ?"


def one(connection: apsw.Connection, now: int, project: str, task_id: str) -> TaskDetail | None:
    """The task at the time `now`, its stack trace and the newest of its events, oldest first."""
    row = connection.execute(
        _ONE.format(columns=SUMMARY), {"now": now, "project": project, "task_id": task_id}
    ).fetchone()
    if row is None:
        return None
    *summary, stack_trace = row
    history = event_log.newest_of_task(connection, project, row[0])
    return TaskDetail(
        *(TaskSummary._make(summary), project, stack_trace, history),
        usage_reads.of_tasks(connection, row[:1]).get(row[0]),
        usage_reads.of_family(connection, row[0]),
    )


def delete_some(connection: apsw.Connection, project: str, task_id: str, limit: int) -> bool | None:
    """Delete `limit` of the task's events, the oldest; with the last of them, the task, and then
    True. None: there is no such task."""
    found = connection.execute(_FIND, (task_id, project)).fetchone()
    if found is None:
        return None
    if event_log.delete_some_of_task(connection, found[0], limit):
        return False
    usage.take_back(connection, found)
    connection.execute(_DELETE, found)
    return True
