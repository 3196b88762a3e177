"""Writes reports: the tasks' changes and their events, in the caller's transaction.

A group of reports is written by a few statements, each for many rows, which takes half the time
that a few statements for each report would. What the reports do to a task is worked out in memory,
in the order in which they came, by `tracker.domain.tasks.apply`; the task is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw
import orjson

from tracker.domain.events import Event, event_data, event_type
from tracker.domain.idempotency import Idempotency
from tracker.domain.records import Recorded
from tracker.domain.tasks import Report, Status, Task, apply
from tracker.errors import IdempotencyKeyReused
from tracker.store.sqlite import bulk, idempotency_keys
from tracker.store.sqlite.idempotency_keys import Used

_FIND_PROJECT = "SELECT id FROM projects WHERE name = ?"
_INSERT_PROJECT = "INSERT INTO projects (name, created_at, updated_at) VALUES (?, ?, ?)"
_FIND_TASKS = """
  SELECT task_id, project_id, id,
    title, agent, status, progress, attempt, started_at, finished_at, duration_ms,
    message, result, error_type, error_message, stack_trace, metadata, created_at, updated_at
  FROM tasks WHERE (task_id, project_id) IN (VALUES {rows})
"""
_INSERT_TASKS = """
  INSERT INTO tasks (
    task_id, project_id,
    title, agent, status, progress, attempt, started_at, finished_at, duration_ms,
    message, result, error_type, error_message, stack_trace, metadata, created_at, updated_at
  ) VALUES {rows}
"""
_UPDATE_TASKS = """
  UPDATE tasks SET
    title = column2, agent = column3, status = column4, progress = column5, attempt = column6,
    started_at = column7, finished_at = column8, duration_ms = column9, message = column10,
    result = column11, error_type = column12, error_message = column13, stack_trace = column14,
    metadata = column15, created_at = column16, updated_at = column17
  FROM (VALUES {rows}) WHERE tasks.id = column1
"""
_INSERT_EVENTS = "INSERT INTO events (project_id, task, type, at, data) VALUES {rows}"


class WriteRequest(NamedTuple):
    """A report as it is handed in."""

    report: Report
    key: Idempotency | None = None


def record(
    connection: apsw.Connection, now: int, requests: Sequence[WriteRequest]
) -> list[Recorded | IdempotencyKeyReused]:
    """Write the reports, in order; for each what became of it, now or when its key was first used,
    or that its key belongs to another request."""
    keys = [request.key for request in requests if request.key is not None]
    if not keys:
        return [*_write(connection, now, [request.report for request in requests])]
    used = idempotency_keys.find(connection, now, [key.key for key in keys])
    owners = {key.key: key for key in reversed(keys) if key.key not in used}
    new = [
        request
        for request in requests
        if request.key is None or owners.get(request.key.key) is request.key
    ]
    written = iter(_write(connection, now, [request.report for request in new]))
    results: list[Recorded | IdempotencyKeyReused] = []
    fresh: dict[str, Used] = {}
    for _, key in requests:
        if key is None:
            results.append(next(written))
        elif owners.get(key.key) is key:
            recorded = next(written)
            results.append(recorded)
            fresh[key.key] = used[key.key] = Used(key.fingerprint, *recorded.answer)
        else:
            results.append(_answer_again(key, used[key.key]))
    idempotency_keys.remember(connection, fresh)
    return results


def _answer_again(key: Idempotency, used: Used) -> Recorded | IdempotencyKeyReused:
    if used.fingerprint != key.fingerprint:
        return IdempotencyKeyReused(
            "This Idempotency-Key was used for another request within the last 24 hours; "
            "use a new key for each new report."
        )
    return Recorded(used.event_id, used.at, used.created, used.duration_ms, event=None)


class _Change:
    """A task within a group: as it was found, and as the reports so far have left it."""

    __slots__ = ("after", "before", "id")

    def __init__(self, id_: int, before: Task | None) -> None:
        self.id = id_  # 0 until it is inserted
        self.before = before
        self.after = before


_Name = tuple[str, int]  # the agent's task id and the project's


def _write(connection: apsw.Connection, now: int, reports: Sequence[Report]) -> list[Recorded]:
    projects = _projects(connection, now, dict.fromkeys(report.project for report in reports))
    names = [(report.task_id, projects[report.project]) for report in reports]
    changes = _find_tasks(connection, set(names))
    written = []
    for name, report in zip(names, reports, strict=True):
        change = changes.get(name)
        if change is None:
            change = changes[name] = _Change(0, None)
        before = change.after
        task = change.after = apply(before, report, now)
        data = event_data(report, task, late=task is before)
        written.append((change, before is None, task.duration_ms, data))
    _save(connection, changes)
    rows = [
        (name[1], change.id, event_type(report), now, data.decode())
        for name, report, (change, _, _, data) in zip(names, reports, written, strict=True)
    ]
    ids = bulk.insert(connection, _INSERT_EVENTS, rows)
    return [
        Recorded(id_, now, created, took, Event(id_, report.project, row[2], data, now))
        for id_, report, row, (_, created, took, data) in zip(
            ids, reports, rows, written, strict=True
        )
    ]


def _projects(connection: apsw.Connection, now: int, names: Iterable[str]) -> dict[str, int]:
    """The projects' ids; those never seen are made."""
    ids = {}
    for name in names:
        found = connection.execute(_FIND_PROJECT, (name,)).fetchone()
        if found is None:
            connection.execute(_INSERT_PROJECT, (name, now, now))
        ids[name] = connection.last_insert_rowid() if found is None else found[0]
    return ids


def _find_tasks(connection: apsw.Connection, names: set[_Name]) -> dict[_Name, _Change]:
    found = {}
    for _, rows in bulk.execute(connection, _FIND_TASKS, list(names)):
        for task_id, project_id, id_, *columns in rows:
            found[task_id, project_id] = _Change(id_, _task(columns))
    return found


def _save(connection: apsw.Connection, changes: dict[_Name, _Change]) -> None:
    new: list[_Change] = []
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


def _task(columns: list[Any]) -> Task:
    task = Task._make(columns)
    return task._replace(status=Status(task.status), metadata=orjson.loads(columns[13]))


def _columns(task: Task) -> bulk.Row:
    metadata = orjson.dumps(task.metadata).decode() if task.metadata else "{}"
    return (*task[:13], metadata, task.created_at, task.updated_at)
