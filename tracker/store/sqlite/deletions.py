"""Events that tell of deletions: what is no longer there cannot hold them, so they have a table of
their own, and numbers of the log's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from tracker.domain.events import Event
from tracker.domain.messages import act_data, project_deleted_data
from tracker.domain.records import Recorded
from tracker.domain.tasks import DELETIONS, EventType, Task

Row = tuple[int, str, str, int, str]
"""As a row of the log is read: number, project, type, time, data."""

_NEXT_ID = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'events' RETURNING seq"
_ADD = """
  INSERT INTO deletions (id, project, task_id, type, at, data) VALUES (?, ?, ?, ?, ?, ?)
"""
_PAGE = """
  SELECT id, project, type, at, data FROM deletions
  WHERE id > :after AND id < :before AND (:type IS NULL OR type = :type) {conditions}
  ORDER BY id {order} LIMIT :limit
"""
_IN_SCOPE = " AND project IN (SELECT value FROM json_each(:scope))"
_OF_TASK = " AND task_id = :task_id"
_FORGET = """
  DELETE FROM deletions WHERE id IN (
    SELECT id FROM deletions WHERE id <= (SELECT pruned FROM marks) ORDER BY id LIMIT ?
  )
"""


def of_task(
    connection: apsw.Connection, now: int, project: str, task_id: str, task: Task, by: str
) -> Recorded:
    """Tell of a task's deletion, in the caller's transaction. `task`: as it was."""
    data = act_data(project, task_id, task, by)
    return _add(connection, now, project, task_id, EventType.TASK_DELETED, data)


def of_project(
    connection: apsw.Connection, now: int, project: str, by: str, *, remains: bool
) -> Recorded:
    """The same of a project's; `remains`: newer reports have come for it meanwhile."""
    data = project_deleted_data(project, by, remains=remains)
    return _add(connection, now, project, None, EventType.PROJECT_DELETED, data)


def _add(
    connection: apsw.Connection,
    now: int,
    project: str,
    task_id: str | None,
    type_: EventType,
    data: str,
) -> Recorded:
    id_ = int(connection.execute(_NEXT_ID).get)
    connection.execute(_ADD, (id_, project, task_id, type_.value, now, data))
    return Recorded(id_, now, False, None, Event(id_, project, type_.value, data.encode(), now))


def page(connection: apsw.Connection, order: str, values: Mapping[str, Any]) -> list[Row]:
    """Those between `after` and `before`, `limit` at most: `tracker.store.sqlite.events` has the
    values."""
    if values["type"] is not None and values["type"] not in DELETIONS:
        return []
    conditions = "" if values["scope"] is None else _IN_SCOPE
    if values["task_id"] is not None:
        conditions += _OF_TASK
    return connection.execute(_PAGE.format(conditions=conditions, order=order), values).fetchall()  # type: ignore[return-value]


def forget(connection: apsw.Connection, limit: int = -1) -> None:
    """Delete those, `limit` at most, from before what was pruned: every cursor from there begins
    anew. Imports give their numbers to others."""
    connection.execute(_FORGET, (limit,))
