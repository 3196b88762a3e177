"""Removes what is old: a walk along the event log, a little in each transaction.

What is pruned is whole tasks, with all of their events, once the task has ended and its newest
event is old enough. Tasks that have not ended stay, however old. A project that has lost its last
task goes with it. `marks.pruned` then tells cursors from before that they missed something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import apsw

from tracker.store.sqlite import deletions, projects

Cursor = TypeVar("Cursor")

_WALK = """
  SELECT id, task, at FROM events
  WHERE id > :after AND (:project IS NULL OR project_id = :project)
  ORDER BY id LIMIT :limit
"""
# Whether the task may go; NULL for `before`: as soon as it has ended.
_PRUNABLE = """
  SELECT tasks.project_id FROM tasks
  WHERE tasks.id = :task AND tasks.finished_at IS NOT NULL AND (
    :before IS NULL
    OR :before > (SELECT at FROM events WHERE task = tasks.id ORDER BY id DESC LIMIT 1)
  )
"""
_DELETE_EVENTS = """
  DELETE FROM events WHERE id IN (
    SELECT id FROM events WHERE task = ? ORDER BY id LIMIT ?
  ) RETURNING id
"""
_HAS_EVENTS = "SELECT EXISTS (SELECT 1 FROM events WHERE task = ?)"
_DELETE_TASK = "DELETE FROM tasks WHERE id = ?"
_MOVE_MARK = "UPDATE marks SET pruned = max(pruned, ?)"

# Events that are looked at, and events of one task that are deleted, between two looks at the
# clock: a few milliseconds.
_BATCH = 100

# Events of deletions that are forgotten at once.
_FORGOTTEN = 1000

# Free pages that are given back at once.
_PAGES_PER_STEP = 64


class Rule(NamedTuple):
    """What goes: tasks that had ended by `before` (milliseconds; None: whenever), the oldest
    first, until the database holds at most `max_bytes` (None: all of them)."""

    before: int | None = None
    max_bytes: int | None = None
    project_id: int | None = None


class Pruned(NamedTuple):
    """How much has gone."""

    tasks: int = 0
    events: int = 0

    def __add__(self, other: Pruned) -> Pruned:  # type: ignore[override]
        return Pruned(self.tasks + other.tasks, self.events + other.events)


class Step(NamedTuple, Generic[Cursor]):
    """One transaction's work. The next begins at `cursor`, unless `done`."""

    pruned: Pruned
    cursor: Cursor
    done: bool


def size(connection: apsw.Connection) -> int:
    """Bytes in use: what the file would have without its free pages."""
    pages = connection.pragma("page_count") - connection.pragma("freelist_count")
    return int(pages * connection.pragma("page_size"))


def prune_some(
    rule: Rule, connection: apsw.Connection, cursor: int, should_stop: Callable[[], bool]
) -> Step[int]:
    """Walk on from event `cursor` until `should_stop` says so, in the caller's transaction."""
    walk: list[tuple[int, int, int]] = connection.execute(
        _WALK, {"after": cursor, "project": rule.project_id, "limit": _BATCH}
    ).fetchall()  # type: ignore[assignment]
    pruned, newest, done = Pruned(), 0, len(walk) < _BATCH
    if rule.before is not None and all(at >= rule.before for _, _, at in walk):
        # Not at the first: one event of a clock that was wrong must not stop all pruning.
        return Step(pruned, cursor, done=True)
    for id_, task, _ in walk:
        if rule.max_bytes is not None and size(connection) <= rule.max_bytes:
            done = True
            break
        project = connection.execute(_PRUNABLE, {"task": task, "before": rule.before}).fetchone()
        if project is not None:
            deleted = [row[0] for row in connection.execute(_DELETE_EVENTS, (task, _BATCH))]
            pruned += Pruned(events=len(deleted))
            newest = max(newest, *deleted)
            if len(deleted) == _BATCH and connection.execute(_HAS_EVENTS, (task,)).get:
                # It is met again at its next event; without one it never would be.
                done = False
                break
            connection.execute(_DELETE_TASK, (task,))
            projects.delete_if_empty(connection, project[0])
            pruned += Pruned(tasks=1)
        cursor = id_
        if should_stop():
            done = False
            break
    if newest:
        connection.execute(_MOVE_MARK, (newest,))
        deletions.forget(connection, _FORGOTTEN)
    return Step(pruned, cursor, done)


def release_space(connection: apsw.Connection) -> bool:
    """Shorten the file by some of its free pages. True when none is left."""
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
    return bool(connection.pragma("freelist_count") == 0)
