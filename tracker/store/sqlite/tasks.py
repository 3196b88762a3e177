"""Tasks: a page of a project's, one with its history, deleting one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import orjson

from tracker.domain import shortening
from tracker.domain.limits import MAX_MESSAGE_BYTES, MAX_PAGE_BYTES
from tracker.domain.queries import TaskQuery
from tracker.domain.records import TaskDetail, TaskPage
from tracker.domain.tasks import TaskSummary
from tracker.store.sqlite import events as event_log
from tracker.store.sqlite import search, usage, usage_reads
from tracker.store.sqlite.columns import DERIVED, STATUSES, fill, listed

_SUMMARY = listed(DERIVED.get(name, name) for name in TaskSummary._fields)
# In bytes: so much of each task is on a page that is too large.
_SMALL_TASK = 16 * 1024
_LIST = """
  SELECT {columns} FROM tasks WHERE {where}
  ORDER BY {order} LIMIT :limit OFFSET :offset
"""
_COUNT = "SELECT count(*) FROM tasks WHERE {where}"
_COUNT_FOUND = "SELECT count(*) FROM project_search WHERE project_search MATCH :q"
_COUNTED = fill("SELECT {counts} FROM projects WHERE id = :project_id", counts=listed(STATUSES))
_ONE = """
  SELECT {columns}, stack_trace FROM tasks
  WHERE task_id = :task_id AND project_id = (SELECT id FROM projects WHERE name = :project)
"""
_FIND = """
  SELECT id FROM tasks
  WHERE task_id = ? AND project_id = (SELECT id FROM projects WHERE name = ?)
"""
_DELETE = "DELETE FROM tasks WHERE id = ?"
_FILTERS = {
    "status": "status = :status",
    "agent": "agent = :agent",
    "session": "session = :session",
    "date_from": "started_at >= :date_from",
    "date_to": "finished_at <= :date_to",
    "q": "id IN (SELECT rowid FROM {index} WHERE {index} MATCH :q)",
}
SORTABLE = {
    "started_at": "started_at",
    "finished_at": "finished_at",
    "updated_at": "updated_at",
    "duration_seconds": "duration_ms",
    "title": "title",
}


def page(connection: apsw.Connection, now: int, project_id: int, query: TaskQuery) -> TaskPage:
    """The page, at the time `now`. Those without a value to sort by come last."""
    filters, index = query.filters, ""
    if query.q is not None:
        index, filters["q"] = search.match_in_projects(connection, [project_id], query.q)
    conditions = ["project_id = :project_id", *(_FILTERS[name] for name in filters)]
    where = " AND ".join(conditions).format(index=index)
    parameters = {"project_id": project_id, **filters}
    column = SORTABLE[query.sort_by]
    direction = "DESC" if query.descending else "ASC"
    nulls = "" if column in ("started_at", "updated_at", "title") else " NULLS LAST"
    rows = connection.execute(
        _LIST.format(
            columns=_SUMMARY, where=where, order=f"{column} {direction}{nulls}, id {direction}"
        ),
        {**parameters, "now": now, "limit": query.limit, "offset": query.offset},
    )
    tasks = _bounded(TaskSummary._make(row) for row in rows)
    used = usage_reads.of_tasks(connection, (task.id for task in tasks))
    return TaskPage(tasks, _total(connection, where, parameters, index), used)


def _bounded(tasks: Iterable[TaskSummary]) -> list[TaskSummary]:
    """All of them: clients count on what a page has. The large are cut, and once the page is large
    everything that is not small."""
    page: list[TaskSummary] = []
    size = 0
    for task in tasks:
        most = MAX_MESSAGE_BYTES if size < MAX_PAGE_BYTES else _SMALL_TASK
        page.append(task if _size(task) <= most else _shortened(task))
        size += _size(page[-1])
    return page


def _size(task: TaskSummary) -> int:
    """Its long texts, in bytes."""
    texts = (task.metadata, task.result, task.message, task.error_message, task.requests)
    return sum(len(text.encode()) for text in texts if text is not None)


def _shortened(task: TaskSummary) -> TaskSummary:
    content = {**task._asdict(), "metadata": orjson.loads(task.metadata)}
    cut = shortening.fields(content, _SMALL_TASK)
    cut["metadata"] = orjson.dumps(cut["metadata"]).decode()
    return TaskSummary(**{**cut, "requests": shortening.requests(task.requests), "truncated": 1})


def one(connection: apsw.Connection, now: int, project: str, task_id: str) -> TaskDetail | None:
    """The task at the time `now`, its stack trace and the newest of its events, oldest first."""
    row = connection.execute(
        _ONE.format(columns=_SUMMARY), {"now": now, "project": project, "task_id": task_id}
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


def _total(connection: apsw.Connection, where: str, parameters: dict[str, Any], index: str) -> int:
    """Counters answer what they can, so that the cost does not grow with the tasks; and the index
    that tells projects apart does what it can, without a look at the tasks."""
    if parameters.keys() <= {"project_id", "status"}:
        counted = connection.execute(_COUNTED, {"project_id": parameters["project_id"]}).get
        by_status = dict(zip(STATUSES, counted, strict=True))
        status = parameters.get("status")
        return sum(counted) if status is None else by_status[status]
    if parameters.keys() == {"project_id", "q"} and index == search.PROJECT_INDEX:
        return int(connection.execute(_COUNT_FOUND, {"q": parameters["q"]}).get)
    return int(connection.execute(_COUNT.format(where=where), parameters).get)
