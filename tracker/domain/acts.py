"""What a person does about a task that needs one: pure (docs/contract.md, "Acknowledging and
snoozing"). Times are milliseconds since the epoch."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from tracker.domain.tasks import ENDED, EventType, Kind, Report, Task

MAX_SNOOZE_MS: Final = 366 * 86_400_000


class Act(StrEnum):
    """What is done; its value is the last segment of the address."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"


EVENT_OF: Final = {
    Act.ACKNOWLEDGE: EventType.ACKNOWLEDGED,
    Act.SNOOZE: EventType.SNOOZED,
}


class Deed(NamedTuple):
    """An act, or that it is taken back (`is_undone`), by the holder of a key, by its name. `until`:
    of a snooze."""

    act: Act
    by: str
    until: int | None = None
    is_undone: bool = False


def done(task: Task, deed: Deed, now: int) -> Task:
    """The task after it: itself, if that changes nothing. Who acknowledges again keeps the time of
    the first."""
    if deed.act is Act.SNOOZE:
        until = None if deed.is_undone else deed.until
        return task if task.snoozed_until == until else task._replace(snoozed_until=until)
    if deed.is_undone == (task.acknowledged_at is None):
        return task
    return task._replace(acknowledged_at=None if deed.is_undone else now)


class FailedByHand(NamedTuple):
    """That somebody, by the name of a key, ends a task as failed."""

    project: str
    task_id: str
    reason: str
    by: str

    def of(self, task: Task) -> Report | None:
        """As the task's agent would report it. None: it has ended already."""
        if task.status in ENDED:
            return None
        return Report(
            *(Kind.ERROR, self.project, self.task_id, "", task.agent, {"failed_by": self.by}),
            error_type="FailedByHand",
            error_message=self.reason,
        )


def ended_by_news(before: Task, after: Task) -> Task:
    """`after`, no longer acknowledged or snoozed if what came between is something new to see to: a
    request opened or worded anew, another attempt, or the task's end."""
    if after.acknowledged_at is None and after.snoozed_until is None:
        return after
    is_new = after.attempt != before.attempt or (
        after.status in ENDED and after.status is not before.status
    )
    if not is_new and after.requests is not before.requests:
        known = {(request.id, request.text) for request in before.requests}
        is_new = any((request.id, request.text) not in known for request in after.requests.open)
    return after._replace(acknowledged_at=None, snoozed_until=None) if is_new else after
