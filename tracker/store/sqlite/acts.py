"""Writes what people do about tasks: the task's change and its event, in the caller's
transaction."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from tracker.domain import acts
from tracker.domain.acts import Deed, FailedByHand
from tracker.domain.events import Event
from tracker.domain.messages import act_data
from tracker.domain.records import Recorded
from tracker.errors import Conflict
from tracker.store.changes import OnWrite, WriteRequest
from tracker.store.sqlite import reports, tasks
from tracker.store.sqlite.columns import EVENT, fill, listed

# `updated_at` is for reports alone: the triggers that count hang on it.
_MARK = "UPDATE tasks SET acknowledged_at = ?, snoozed_until = ? WHERE id = ?"
_TELL = fill(
    "INSERT INTO events (project_id, task, {columns}) VALUES (?, ?, ?, ?, ?)",
    columns=listed(EVENT),
)


def record(
    connection: apsw.Connection, now: int, project: str, task_id: str, deed: Deed
) -> Sequence[Recorded] | None:
    """Nothing, if it is so already. None: there is no such task."""
    found = tasks.find(connection, project, task_id)
    if found is None:
        return None
    id_, project_id, before = found
    task = acts.done(before, deed, now)
    if task is before:
        return []
    type_ = acts.EVENT_OF[deed.act].value
    data = act_data(project, task_id, task, deed.by)
    connection.execute(_MARK, (task.acknowledged_at, task.snoozed_until, id_))
    connection.execute(_TELL, (project_id, id_, type_, now, data))
    event = Event(connection.last_insert_rowid(), project, type_, data.encode(), now)
    return [Recorded(event.id, now, False, None, event)]


def fail(
    connection: apsw.Connection, now: int, failed: FailedByHand, on_write: OnWrite
) -> Sequence[Recorded] | None:
    """None: there is no such task. Raises Conflict: it has ended."""
    found = tasks.find(connection, failed.project, failed.task_id)
    if found is None:
        return None
    _, _, task = found
    report = failed.of(task)
    if report is None:
        raise Conflict(f"The task {failed.task_id!r} has ended already, as {task.status}.")
    recorded = reports.record(connection, now, [WriteRequest(report)], on_write=on_write)
    return [result for result in recorded if isinstance(result, Recorded)]
