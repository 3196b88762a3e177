"""Writes one report: the task's change and its event, in the caller's transaction."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import apsw
import orjson

from tracker.clock import MS_PER_DAY
from tracker.errors import IdempotencyKeyReused
from tracker.model import Kind, Report, Status, Task, apply
from tracker.wire import Event, event_data, event_type

# Two statements, because SQLite takes five times as long over the same as one LEFT JOIN.
_FIND_PROJECT = "SELECT id FROM projects WHERE name = ?"
_FIND_TASK = """
  SELECT id,
    title, agent, status, progress, attempt, started_at, finished_at, duration_ms,
    message, result, error_type, error_message, stack_trace, metadata, created_at, updated_at
  FROM tasks WHERE task_id = ? AND project_id = ?
"""
_INSERT_PROJECT = """
  INSERT INTO projects (name, created_at, updated_at) VALUES (?, ?, ?)
"""
_INSERT_TASK = """
  INSERT INTO tasks (
    project_id, task_id,
    title, agent, status, progress, attempt, started_at, finished_at, duration_ms,
    message, result, error_type, error_message, stack_trace, metadata, created_at, updated_at
  ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_TASK = """
  UPDATE tasks SET
    title = ?, agent = ?, status = ?, progress = ?, attempt = ?, started_at = ?, finished_at = ?,
    duration_ms = ?, message = ?, result = ?, error_type = ?, error_message = ?, stack_trace = ?,
    metadata = ?, created_at = ?, updated_at = ?
  WHERE id = ?
"""
_INSERT_EVENT = """
  INSERT INTO events (project_id, task, type, at, data) VALUES (?, ?, ?, ?, ?)
"""
_FIND_KEY = """
  SELECT fingerprint, event_id, at, created, duration_ms FROM idempotency WHERE key = ?
"""
_FORGET_KEYS = """
  DELETE FROM idempotency WHERE at < ?
"""
_INSERT_KEY = """
  INSERT INTO idempotency (key, fingerprint, event_id, at, created, duration_ms)
  VALUES (?, ?, ?, ?, ?, ?)
"""

KEY_LIFETIME_MS = MS_PER_DAY


class Idempotency(NamedTuple):
    """An `Idempotency-Key` and what tells its request from others: kind and body."""

    key: str
    fingerprint: bytes


class Recorded(NamedTuple):
    """What became of a report.

    `created`: the task was first seen by it. `duration_ms`: the task's, once it has ended.
    `event` is None when an idempotency key answered with what was recorded earlier.
    """

    event_id: int
    at: int
    created: bool
    duration_ms: int | None
    event: Event | None

    @property
    def events(self) -> tuple[Event, ...]:
        """What is to be published."""
        return () if self.event is None else (self.event,)


def idempotency(key: str, kind: Kind, body: bytes) -> Idempotency:
    """The same key on another webhook, or with another body, is another request."""
    return Idempotency(key, hashlib.blake2b(body, digest_size=16, person=kind.encode()).digest())


def record(
    connection: apsw.Connection, now: int, report: Report, key: Idempotency | None
) -> Recorded:
    """Write `report`, or find what its key has written before.

    Raises:
        IdempotencyKeyReused: the key belongs to another request.
    """
    if key is not None:
        connection.execute(_FORGET_KEYS, (now - KEY_LIFETIME_MS,))
        earlier = _recorded_under(connection, key)
        if earlier is not None:
            return earlier
    recorded = _write(connection, now, report)
    if key is not None:
        answer = (recorded.event_id, now, recorded.created, recorded.duration_ms)
        connection.execute(_INSERT_KEY, (key.key, key.fingerprint, *answer))
    return recorded


def _recorded_under(connection: apsw.Connection, key: Idempotency) -> Recorded | None:
    row = connection.execute(_FIND_KEY, (key.key,)).fetchone()
    if row is None:
        return None
    fingerprint, event_id, at, created, duration_ms = row
    if fingerprint != key.fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request within the last 24 hours; "
            "use a new key for each new report."
        )
    return Recorded(event_id, at, bool(created), duration_ms, event=None)


def _write(connection: apsw.Connection, now: int, report: Report) -> Recorded:
    execute = connection.execute
    row_id, before = None, None
    project = execute(_FIND_PROJECT, (report.project,)).fetchone()
    if project is None:
        execute(_INSERT_PROJECT, (report.project, now, now))
        project_id = connection.last_insert_rowid()
    else:
        project_id = project[0]
        found = execute(_FIND_TASK, (report.task_id, project_id)).fetchone()
        if found is not None:
            row_id, *columns = found
            before = _task(columns)
    task = apply(before, report, now)
    if row_id is None:
        execute(_INSERT_TASK, (project_id, report.task_id, *_columns(task)))
        row_id = connection.last_insert_rowid()
    elif task is not before:
        execute(_UPDATE_TASK, (*_columns(task), row_id))
    data = event_data(report, task, late=task is before)
    type_ = event_type(report)
    execute(_INSERT_EVENT, (project_id, row_id, type_, now, data.decode()))
    event = Event(connection.last_insert_rowid(), report.project, type_, data, now)
    return Recorded(event.id, now, before is None, task.duration_ms, event)


def _task(columns: list[Any]) -> Task:
    task = Task._make(columns)
    return task._replace(status=Status(task.status), metadata=orjson.loads(columns[13]))


def _columns(task: Task) -> tuple[apsw.SQLiteValue, ...]:
    metadata = orjson.dumps(task.metadata).decode() if task.metadata else "{}"
    return (*task[:13], metadata, task.created_at, task.updated_at)
