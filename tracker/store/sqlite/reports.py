"""Writes reports: the tasks' changes and their events, in the caller's transaction.

A group of reports is written by a few statements, each for many rows, which takes half the time
that a few statements for each report would. What the reports do is worked out in memory, by
`tracker.store.changes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import orjson

from tracker.domain import attention, numbers
from tracker.domain.attention import NO_REQUESTS
from tracker.domain.records import Recorded
from tracker.domain.tasks import Report, Status, Task
from tracker.errors import IdempotencyKeyReused
from tracker.store.changes import (
    Applied,
    Change,
    Changes,
    KeyedGroup,
    OnWrite,
    TaskKey,
    WriteRequest,
)
from tracker.store.sqlite import bulk, idempotency_keys, usage
from tracker.store.sqlite.columns import EVENT, TASK, assigned, fill, listed

_FIND_PROJECT = "SELECT id FROM projects WHERE name = ?"
_INSERT_PROJECT = "INSERT INTO projects (name, created_at, updated_at) VALUES (?, ?, ?)"
_FIND_TASKS = fill(
    """
  SELECT task_id, project_id, id, {columns}
  FROM tasks WHERE (task_id, project_id) IN (VALUES {rows})
""",
    columns=listed(TASK),
)
_INSERT_TASKS = fill(
    "INSERT INTO tasks (task_id, project_id, {columns}) VALUES {rows}", columns=listed(TASK)
)
_UPDATE_TASKS = fill(
    "UPDATE tasks SET {changes} FROM (VALUES {rows}) WHERE tasks.id = column1",
    changes=assigned(TASK, first=2),
)
_INSERT_EVENTS = fill(
    "INSERT INTO events (project_id, task, {columns}) VALUES {rows}", columns=listed(EVENT)
)

_METADATA = TASK.index("metadata")
_REQUESTS = TASK.index("requests")
_REPORTED_AT = TASK.index("reported_at")


# Nobody is told, nothing is estimated.
_ALONE: Final = OnWrite()


def record(
    connection: apsw.Connection,
    now: int,
    requests: Sequence[WriteRequest],
    *,
    on_write: OnWrite = _ALONE,
) -> list[Recorded | IdempotencyKeyReused]:
    """Write the reports, in order; for each what became of it, now or when its key was first used,
    or that its key belongs to another request."""
    keys = [request.key.key for request in requests if request.key is not None]
    if not keys:
        return [*_write(connection, now, [request.report for request in requests], on_write)]
    keyed = KeyedGroup(requests, idempotency_keys.find(connection, now, keys))
    results, new_keys = keyed.results(_write(connection, now, keyed.reports, on_write))
    idempotency_keys.remember(connection, new_keys)
    return results


def _write(
    connection: apsw.Connection,
    now: int,
    reports: Sequence[Report],
    on_write: OnWrite,
) -> list[Recorded]:
    projects = ensure_projects(connection, now, dict.fromkeys(report.project for report in reports))
    task_keys = [(report.task_id, projects[report.project]) for report in reports]
    changes = _find_tasks(connection, set(task_keys))
    applied = Applied(reports, task_keys, changes, now)
    entered = usage.leave_sessions(connection, changes)
    _save(connection, changes)
    if applied.usage or entered:
        usage.record(connection, now, applied.usage, changes, entered, on_write.prices)
    recorded = applied.recorded(bulk.insert(connection, _INSERT_EVENTS, applied.events()))
    on_write.saved(changes)
    return recorded


def ensure_projects(connection: apsw.Connection, now: int, names: Iterable[str]) -> dict[str, int]:
    """The projects' ids; those never seen are made."""
    ids = {}
    for name in names:
        found = connection.execute(_FIND_PROJECT, (name,)).fetchone()
        if found is None:
            connection.execute(_INSERT_PROJECT, (name, now, now))
        ids[name] = connection.last_insert_rowid() if found is None else found[0]
    return ids


def _find_tasks(connection: apsw.Connection, task_keys: set[TaskKey]) -> Changes:
    found: Changes = {}
    for _, rows in bulk.execute(connection, _FIND_TASKS, list(task_keys)):
        for task_id, project_id, id_, *columns in rows:
            found[task_id, project_id] = Change(id_, load_task(columns))
    return found


def _save(connection: apsw.Connection, changes: Changes) -> None:
    new: list[Change] = []
    inserted: list[bulk.Row] = []
    updated: list[bulk.Row] = []
    for name, change in changes.items():
        if change.after is None or change.after is change.before:
            continue
        if change.before is None:
            new.append(change)
            inserted.append((*name, *_columns(change.after)))
        else:
            updated.append((change.id, *_columns(change.after)))
    for change, id_ in zip(new, bulk.insert(connection, _INSERT_TASKS, inserted), strict=True):
        change.id = id_
    for _ in bulk.execute(connection, _UPDATE_TASKS, updated):
        pass


def load_task(columns: Sequence[Any]) -> Task:
    """The task of a row of `TASK`."""
    task = Task._make(columns)
    requests = columns[_REQUESTS]
    return task._replace(
        status=Status(task.status),
        metadata=numbers.loads(columns[_METADATA].encode()),
        requests=NO_REQUESTS if requests is None else attention.load(orjson.loads(requests)),
        # It is not known of tasks from before there was this column.
        reported_at=columns[_REPORTED_AT] or task.updated_at,
    )


def _columns(task: Task) -> bulk.Row:
    row: list[Any] = [*task]
    row[_METADATA] = orjson.dumps(task.metadata).decode() if task.metadata else "{}"
    row[_REQUESTS] = orjson.dumps(task.requests.dump()).decode() if task.requests else None
    return tuple(row)
