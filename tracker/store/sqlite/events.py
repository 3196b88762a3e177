"""Reads of the event log."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import merge
from operator import itemgetter

import apsw

from tracker.domain import shortening
from tracker.domain.events import Event
from tracker.domain.limits import MAX_HISTORY, MAX_INTEGER, MAX_PAGE_BYTES
from tracker.domain.principal import Scope
from tracker.domain.queries import EventFilter
from tracker.domain.records import Bounds, Page
from tracker.domain.tasks import DELETIONS
from tracker.store.sqlite import deletions
from tracker.store.sqlite.columns import EVENT, fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, events_in, parameter

# Bytes of a message beside its event's data, roughly.
_AROUND = 120

# One page of the log.
_PAGE = fill(
    """
  SELECT events.id, projects.name, {columns}
  FROM events JOIN projects ON projects.id = events.project_id
  WHERE {conditions}
  ORDER BY events.id {order} LIMIT :limit
""",
    columns=listed(EVENT, "events"),
)
_IN_RANGE = "events.id > :after AND events.id < :before"
_OF_TYPE = "events.type = :type"
_OF_TASK = fill(
    """
  events.task IN (
    SELECT tasks.id FROM tasks JOIN projects ON projects.id = tasks.project_id
    WHERE tasks.task_id = :task_id AND {in_scope}
  )
""",
    in_scope=IN_SCOPE,
)
_LAST = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
_BOUNDS = """
  SELECT (SELECT pruned FROM marks), (
    SELECT min(id) FROM (SELECT min(id) AS id FROM events UNION ALL SELECT min(id) FROM deletions)
  )
"""
_GAPS = "SELECT first, last FROM gaps ORDER BY first"
_REPAIR_MARKS = """
  UPDATE marks SET pruned = min(pruned, :last), searched = min(searched, :last),
    messages_pruned = min(messages_pruned, :last)
  WHERE max(pruned, searched, messages_pruned) > :last
"""
_DELETE_OF_TASK = """
  DELETE FROM events WHERE id IN (SELECT id FROM events WHERE task = ? ORDER BY id LIMIT ?)
"""
_DELETE_OF_PROJECT = """
  DELETE FROM events WHERE id IN (
    SELECT id FROM events WHERE project_id = ? AND task <= ? ORDER BY id LIMIT ?
  )
"""
_OF_ONE_TASK = fill(
    "SELECT id, ?, {columns} FROM events WHERE task = ? ORDER BY id DESC LIMIT ?",
    columns=listed(EVENT),
)


def last_id(connection: apsw.Connection) -> int:
    """The newest id ever given to an event; 0 before the first."""
    return int(connection.execute(_LAST).get)


def repair_marks(connection: apsw.Connection) -> None:
    """Move marks that are past the log's end, which earlier imports accepted, back to it: readers
    would be sent to the beginning again and again, and searches would miss new tasks."""
    connection.execute(_REPAIR_MARKS, {"last": last_id(connection)})


def bounds(connection: apsw.Connection) -> Bounds:
    """Where the log begins and ends."""
    last = last_id(connection)
    pruned, oldest = connection.execute(_BOUNDS).get
    gaps = tuple((int(first), int(end)) for first, end in connection.execute(_GAPS))
    # It may not have been repaired yet: see `repair_marks`.
    return Bounds(last + 1 if oldest is None else oldest, last, min(pruned, last), gaps)


def after(
    connection: apsw.Connection,
    scope: Scope,
    cursor: int,
    wanted: EventFilter,
    limit: int,
    max_size: int,
) -> Page:
    """The first events whose id is greater than `cursor`: at most `limit`, and no more than have
    `max_size` bytes (but one at least), so that no reader fills the server's memory."""
    ends = bounds(connection)
    page, complete = _take(_rows(connection, scope, wanted, limit, after=cursor), limit, max_size)
    return Page(page, ends.last if complete else page[-1].id, ends)


def newest(
    connection: apsw.Connection,
    scope: Scope,
    before: int,
    wanted: EventFilter,
    limit: int,
    max_size: int,
) -> Page:
    """The newest of the events whose id is smaller than `before`, oldest first; bounded as `after`
    is."""
    ends = bounds(connection)
    page, _ = _take(_rows(connection, scope, wanted, limit, before=before), limit, max_size)
    return Page(page[::-1], ends.last, ends)


def _rows(
    connection: apsw.Connection,
    scope: Scope,
    wanted: EventFilter,
    limit: int,
    *,
    after: int = 0,
    before: int | None = None,
) -> Iterable[deletions.Row]:
    """One row more than `limit` at least, if there are as many: of those past `after`, or from
    `before` on back."""
    scope = scope.narrowed(wanted.project)
    order, before = ("ASC", MAX_INTEGER) if before is None else ("DESC", before)
    values = {
        **{"after": after, "before": before, "limit": limit + 1, "scope": parameter(scope)},
        **{"type": wanted.type, "task_id": wanted.task_id},
    }
    gone = deletions.page(connection, order, values)
    if wanted.type in DELETIONS:
        return gone
    conditions = [_IN_RANGE] if wanted.type is None else [_IN_RANGE, _OF_TYPE]
    if wanted.task_id is not None:
        conditions.append(_OF_TASK)
    elif scope.projects is not None:
        conditions = [f"events.id IN ({events_in(' AND '.join(conditions), order)})"]
    there = connection.execute(
        _PAGE.format(conditions=" AND ".join(conditions), order=order),
        values,
    )
    return merge(there, gone, key=itemgetter(0), reverse=order == "DESC") if gone else there


def _take(rows: Iterable[deletions.Row], limit: int, max_size: int) -> tuple[list[Event], bool]:
    """As many events as fit, and whether these were all."""
    page: list[Event] = []
    size = 0
    for id_, name, type_, at, text in rows:
        data = text.encode()
        size += len(data) + _AROUND  # of what is read, not of what is sent: cutting takes time too
        if len(page) == limit or (page and size > max_size):
            return page, False
        page.append(Event(id_, name, type_, shortening.event_data(data), at))
    return page, True


def one(connection: apsw.Connection, scope: Scope, event_id: int) -> Event | None:
    """The event, however long it is."""
    row = next(iter(_rows(connection, scope, EventFilter(), 1, after=event_id - 1)), None)
    if row is None or row[0] != event_id:
        return None
    id_, name, type_, at, data = row
    return Event(id_, name, type_, data.encode(), at)


def newest_of_task(connection: apsw.Connection, project: str, task: int) -> list[Event]:
    """The newest of a task's events, oldest first, as many as fit on a page; its id is the row's,
    not the agent's."""
    rows = connection.execute(_OF_ONE_TASK, (project, task, MAX_HISTORY + 1))
    page, _ = _take(rows, MAX_HISTORY, MAX_PAGE_BYTES)
    return page[::-1]


def delete_some_of_task(connection: apsw.Connection, task: int, limit: int) -> bool:
    """Delete up to `limit` of a task's events; True: there may be more."""
    connection.execute(_DELETE_OF_TASK, (task, limit))
    return connection.changes() == limit


def delete_some_of_project(
    connection: apsw.Connection, project_id: int, upto: int, limit: int
) -> bool:
    """The same for the tasks of a project with id <= `upto`."""
    connection.execute(_DELETE_OF_PROJECT, (project_id, upto, limit))
    return connection.changes() == limit
