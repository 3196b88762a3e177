"""Removes what agents that are plugged in told between a task's start and its end: a walk along the
event log, which goes on where it was and meets each event once.

A task is due at its newest event, once it has ended and that event is old enough. What stays of it:
its first event, all that are no messages or came with its end or later, and those that opened or
answered a request for attention. `marks.pruned` stays too: what is left of the log tells cursors
from before where each task has got to, so they have missed nothing that they need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import apsw

from tracker.store.sqlite.pruning import Pruned, Step

_MARK = "SELECT messages_pruned FROM marks"
_MOVE_MARK = "UPDATE marks SET messages_pruned = ?"
_WALK = """
  SELECT id, task, at FROM events WHERE id > ? ORDER BY id LIMIT ?
"""
_IS_DUE = """
  SELECT EXISTS (
    SELECT 1 FROM tasks JOIN agent_sessions USING (project_id, session)
    WHERE tasks.id = :task AND tasks.finished_at IS NOT NULL AND agent_sessions.agent IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM events WHERE task = :task AND id > :event)
  )
"""
# From the one that was looked at last, if it is still there; else no request was open after it.
_HISTORY = """
  SELECT id, type = 'task_status_updated' AND data ->> 'finished_at' IS NULL,
    data ->> 'attention' IS NOT NULL
  FROM events WHERE task = ? AND id >= ? ORDER BY id LIMIT ?
"""
_DELETE = "DELETE FROM events WHERE id = ?"

# Events of the log that one transaction looks at, at most, and events of one task between two looks
# at the clock: a millisecond or two.
_BATCH = 1000
_BATCH_OF_TASK = 25


class Cursor(NamedTuple):
    """The task at hand, by its newest event, and the event of it that was looked at last."""

    newest: int
    looked_at: int


BEGIN: Final = Cursor(0, 0)
"""No task is at hand: the walk goes on after `marks.messages_pruned`."""


def prune_some(
    before: int, connection: apsw.Connection, cursor: Cursor, should_stop: Callable[[], bool]
) -> Step[Cursor]:
    """Walk on until `should_stop` says so, in the caller's transaction; past events that came
    before that time (milliseconds)."""
    mark = begin = int(connection.execute(_MARK).get)
    walk: list[tuple[int, int, int]] = connection.execute(_WALK, (mark, _BATCH)).fetchall()  # type: ignore[assignment]
    # What came before an old event is old, whatever the clock said then.
    upto = max((id_ for id_, _, at in walk if at < before), default=0)
    pruned = Pruned()
    for id_, task, _ in walk:
        if id_ > upto:
            break
        looked_at = cursor.looked_at if cursor.newest == id_ else 0
        is_done = True
        if connection.execute(_IS_DUE, {"task": task, "event": id_}).get:
            deleted, looked_at, is_done = _prune_task(connection, task, looked_at, should_stop)
            pruned += Pruned(events=deleted)
        if not is_done:
            cursor = Cursor(id_, looked_at)
            break
        mark = id_
        if should_stop():
            break
    if mark > begin:
        connection.execute(_MOVE_MARK, (mark,))
    return Step(pruned, cursor, done=not upto)


def _prune_task(
    connection: apsw.Connection, task: int, looked_at: int, should_stop: Callable[[], bool]
) -> tuple[int, int, bool]:
    """How many messages have gone, the event that was looked at last, and whether that was all."""
    deleted = 0
    while True:
        history: list[tuple[int, bool, bool]] = connection.execute(
            _HISTORY, (task, looked_at, _BATCH_OF_TASK)
        ).fetchall()  # type: ignore[assignment]
        is_first, was_waiting = looked_at == 0, False
        for id_, is_message, is_waiting in history:
            if is_message and id_ > looked_at and not (is_first or was_waiting or is_waiting):
                connection.execute(_DELETE, (id_,))
                deleted += 1
            is_first, was_waiting = False, is_waiting
        if len(history) < _BATCH_OF_TASK:
            return deleted, looked_at, True
        looked_at = history[-1][0]
        if should_stop():
            return deleted, looked_at, False
