"""Tasks: one with its history, deleting one. Pages: `tracker.store.sqlite.task_pages`."""

from __future__ import annotations

import apsw

from tracker.domain.records import TaskDetail
from tracker.domain.tasks import Task, TaskSummary
from tracker.store.sqlite import events as event_log
from tracker.store.sqlite import usage, usage_reads
from tracker.store.sqlite.columns import TASK, fill, listed
from tracker.store.sqlite.reports import load_task
from tracker.store.sqlite.task_pages import SUMMARY

_ONE = """
  SELECT {columns}, stack_trace FROM tasks
  WHERE task_id = :task_id AND project_id = (SELECT id FROM projects WHERE name = :project)
"""
_FIND = fill(
    """
  SELECT id, project_id, {columns} FROM tasks
  WHERE task_id = ? AND project_id = (SELECT id FROM projects WHERE name = ?)
""",
    columns=listed(TASK),
)
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


def find(connection: apsw.Connection, project: str, task_id: str) -> tuple[int, int, Task] | None:
    """The task, after its number and its project's."""
    row = connection.execute(_FIND, (task_id, project)).fetchone()
    if row is None:
        return None
    id_, project_id, *columns = row
    return id_, project_id, load_task(columns)


def delete_some(connection: apsw.Connection, id_: int, limit: int) -> bool:
    """Delete `limit` of the task's events, the oldest; with the last of them, the task: True."""
    if event_log.delete_some_of_task(connection, id_, limit):
        return False
    usage.take_back(connection, [id_])
    connection.execute(_DELETE, (id_,))
    return True
