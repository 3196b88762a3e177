"""Events that tell of deletions: what is no longer there cannot hold them, so they have a table of
their own, and numbers of the log's."""

from __future__ import annotations

import apsw

from tracker.domain.events import Event
from tracker.domain.limits import MAX_INTEGER
from tracker.domain.messages import act_data, project_deleted_data
from tracker.domain.principal import Scope
from tracker.domain.queries import EventFilter
from tracker.domain.records import Recorded
from tracker.domain.tasks import DELETIONS, EventType, Task
from tracker.store.sqlite.scope import parameter

Row = tuple[int, str, str, int, str]
"""As a row of the log is read: number, project, type, time, data."""

_NEXT_ID = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'events' RETURNING seq"
_ADD = """
  INSERT INTO deletions (id, project, task_id, type, at, data) VALUES (?, ?, ?, ?, ?, ?)
"""
_PAGE = """
  SELECT id, project, type, at, data FROM deletions
  WHERE id > :after AND id < :before AND (:type IS NULL OR type = :type)
    AND (:task_id IS NULL OR task_id = :task_id) {in_scope}
  ORDER BY id {order} LIMIT :limit
"""
_IN_SCOPE = "AND project IN (SELECT value FROM json_each(:scope))"
_FORGET = """
  DELETE FROM deletions WHERE id IN (SELECT id FROM deletions WHERE id <= ? ORDER BY id LIMIT ?)
"""

# Those that one transaction forgets.
_BATCH = 1000


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


def page(
    connection: apsw.Connection,
    scope: Scope,
    wanted: EventFilter,
    limit: int,
    *,
    after: int = 0,
    before: int | None = None,
) -> list[Row]:
    """Those past `after`, or from `before` on back; `limit` at most."""
    if wanted.type is not None and wanted.type not in DELETIONS:
        return []
    order, before = ("ASC", MAX_INTEGER) if before is None else ("DESC", before)
    in_scope = "" if scope.projects is None else _IN_SCOPE
    values = {
        **{"after": after, "before": before, "limit": limit, "scope": parameter(scope)},
        **{"type": wanted.type, "task_id": wanted.task_id},
    }
    return connection.execute(_PAGE.format(in_scope=in_scope, order=order), values).fetchall()  # type: ignore[return-value]


def forget_some(connection: apsw.Connection, upto: int) -> None:
    """Delete some of those up to this number of the log, where it no longer begins."""
    connection.execute(_FORGET, (upto, _BATCH))
