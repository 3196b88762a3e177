"""Reads of the event log."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from tracker.wire import Event

# One page of the log: the project and the task are looked up by name.
_AFTER = """
  SELECT events.id, projects.name, events.type, events.data, events.at
  FROM events JOIN projects ON projects.id = events.project_id
  WHERE events.id > :after
    {filters}
  ORDER BY events.id LIMIT :limit
"""
_OF_PROJECT = "AND events.project_id = (SELECT id FROM projects WHERE name = :project)"
_OF_TYPE = "AND events.type = :type"
_OF_TASK = "AND events.task IN (SELECT id FROM tasks WHERE task_id = :task_id)"
_OF_TASK_IN_PROJECT = """
  AND events.task = (
    SELECT id FROM tasks
    WHERE task_id = :task_id AND project_id = (SELECT id FROM projects WHERE name = :project)
  )
"""
_LAST = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
_BOUNDS = """
  SELECT (SELECT pruned FROM marks), (SELECT min(id) FROM events)
"""
_MEND = """
  UPDATE marks SET pruned = min(pruned, :last), searched = min(searched, :last)
  WHERE pruned > :last OR searched > :last
"""


_OF_ONE_TASK = """
  SELECT id, type, data, at FROM events WHERE task = ? ORDER BY id DESC LIMIT ?
"""

# How many of its events a task is shown with; the rest is a question to `/api/events`.
HISTORY = 1000


class EventFilter(NamedTuple):
    """Which events; None means all."""

    project: str | None = None
    task_id: str | None = None
    type: str | None = None


class Bounds(NamedTuple):
    """The log's ends: `oldest` is the smallest id that may still be there, `last` the newest id
    ever given, `pruned` the newest id that pruning has removed."""

    oldest: int
    last: int
    pruned: int

    def reach(self, cursor: int) -> bool:
        """Whether the log has all that ever came after `cursor`: nothing of it was pruned, and
        the cursor is none of another database."""
        return self.pruned <= cursor <= self.last


class Page(NamedTuple):
    """Some of the log, oldest first, and where the log began and ended just then.

    `cursor` is where the next page begins; at `bounds.last` there is no more.
    """

    events: list[Event]
    cursor: int
    bounds: Bounds


def last_id(connection: apsw.Connection) -> int:
    """The newest id ever given to an event; 0 before the first."""
    return int(connection.execute(_LAST).get)


def mend(connection: apsw.Connection) -> None:
    """Put marks past the log's end, which earlier imports took from any file, back to it: readers
    would be sent to the beginning again and again, and what comes would not be found."""
    connection.execute(_MEND, {"last": last_id(connection)})


def bounds(connection: apsw.Connection) -> Bounds:
    """Where the log begins and ends."""
    last = last_id(connection)
    pruned, oldest = connection.execute(_BOUNDS).get
    # Where nobody has mended it yet: see `mend`.
    return Bounds(last + 1 if oldest is None else oldest, last, min(pruned, last))


def after(
    connection: apsw.Connection, cursor: int, wanted: EventFilter, limit: int, max_size: int
) -> Page:
    """The first of the events whose id is greater than `cursor`: `limit` at most, and no more
    once they have `max_size` characters, so that no reader makes the server hold much of the
    log."""
    filters = []
    if wanted.type is not None:
        filters.append(_OF_TYPE)
    if wanted.task_id is not None:
        filters.append(_OF_TASK if wanted.project is None else _OF_TASK_IN_PROJECT)
    elif wanted.project is not None:
        filters.append(_OF_PROJECT)
    limits = bounds(connection)
    parameters = {"after": cursor, "limit": limit + 1, **wanted._asdict()}
    page: list[Event] = []
    size = 0
    rows = connection.execute(_AFTER.format(filters=" ".join(filters)), parameters)
    for id_, name, type_, data, at in rows:
        if len(page) == limit or size > max_size:
            return Page(page, page[-1].id, limits)
        page.append(Event(id_, name, type_, data.encode(), at))
        size += len(data)
    return Page(page, limits.last, limits)


def newest_of_task(connection: apsw.Connection, task: int) -> list[Event]:
    """The newest of a task's events, oldest first; its id is the row's, not the agent's."""
    rows = connection.execute(_OF_ONE_TASK, (task, HISTORY)).fetchall()
    return [Event(id_, "", type_, data.encode(), at) for id_, type_, data, at in reversed(rows)]
