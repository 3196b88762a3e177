"""What a group of reports does to tasks and to the log, worked out in memory.

An engine finds what is there, and saves what has become of it; what lies between is the same for
all of them, and stands here. What the reports do to a task is worked out by
`tracker.domain.rules.apply`, in the order in which they came; the task is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tracker.domain import shortening
from tracker.domain.events import Event
from tracker.domain.idempotency import Idempotency, OwnedKey
from tracker.domain.messages import event_data, event_type
from tracker.domain.prices import NO_PRICES, Prices
from tracker.domain.records import Recorded
from tracker.domain.rules import apply, is_late, is_of_present_attempt
from tracker.domain.tasks import Report, Task
from tracker.domain.usage import ModelTold, Source
from tracker.errors import IdempotencyKeyReused


class WriteRequest(NamedTuple):
    """A report as it is handed in."""

    report: Report
    key: Idempotency | None = None


# Idempotency keys.


class UsedKey(NamedTuple):
    """The first request with the key, and its result; see `Recorded`. It is remembered until
    `expires_at`."""

    fingerprint: bytes
    event_id: int
    at: int
    created: bool
    duration_ms: int | None
    expires_at: int


class KeyedGroup:
    """A group in which some reports have keys: which of them are to be written, and the results of
    the others."""

    def __init__(self, requests: Sequence[WriteRequest], used: Mapping[OwnedKey, UsedKey]) -> None:
        """`used`: the keys that were used before."""
        self._requests = requests
        self._used = used
        keys = [request.key for request in requests if request.key is not None]
        # The first request owns a key. By identity: others may be equal to it.
        self._owners = {key.key: key for key in reversed(keys) if key.key not in used}

    @property
    def reports(self) -> list[Report]:
        """Those to be written."""
        return [
            report
            for report, key in self._requests
            if key is None or self._owners.get(key.key) is key
        ]

    def results(
        self, recorded: Iterable[Recorded]
    ) -> tuple[list[Recorded | IdempotencyKeyReused], dict[OwnedKey, UsedKey]]:
        """Each request's result: of now, of when its key was first used, or the error that its key
        belongs to another request; and the keys to remember. `recorded`: those of `reports`."""
        written = iter(recorded)
        results: list[Recorded | IdempotencyKeyReused] = []
        new_keys: dict[OwnedKey, UsedKey] = {}
        for _, key in self._requests:
            if key is None:
                results.append(next(written))
            elif self._owners.get(key.key) is key:
                result = next(written)
                results.append(result)
                expires_at = result.at + key.lifetime_ms
                new_keys[key.key] = UsedKey(key.fingerprint, *result.outcome, expires_at)
            else:
                results.append(_replay(key, new_keys.get(key.key) or self._used[key.key]))
        return results, new_keys


def reused(key: Idempotency, used: UsedKey) -> IdempotencyKeyReused | None:
    """The error if another request had the key before."""
    if used.fingerprint == key.fingerprint:
        return None
    return IdempotencyKeyReused(
        "This Idempotency-Key was used for another request before; "
        "use a new key for each new report."
    )


def _replay(key: Idempotency, used: UsedKey) -> Recorded | IdempotencyKeyReused:
    recorded = Recorded(used.event_id, used.at, used.created, used.duration_ms, event=None)
    return reused(key, used) or recorded


# Tasks and events.


class Change:
    """A task within a group: as it was found, and as the reports so far have left it."""

    __slots__ = ("after", "before", "id")

    def __init__(self, id_: int, before: Task | None) -> None:
        self.id = id_  # 0 until it is inserted
        self.before = before
        self.after = before


TaskKey = tuple[str, int]
"""The agent's task id and the project's."""

Changes = dict[TaskKey, Change]

EventRow = tuple[int, int, str, int, str]
"""Of the log, without its number: the project's id, the task's, type, time, data."""


def _ignore(_changes: Changes) -> None:
    """For whom nothing hangs on it."""


class OnWrite(NamedTuple):
    """What goes with the writing of reports. `saved` is told what has become of tasks, before that
    is committed; by `prices` costs that were not told are estimated."""

    saved: Callable[[Changes], None] = _ignore
    prices: Prices = NO_PRICES


class UsageTold(NamedTuple):
    """What a report tells of an attempt's usage; `late`: newer word came before. `is_more`: by how
    much it has grown; else totals."""

    task_key: TaskKey
    attempt: int
    agent: str
    usage: Sequence[ModelTold]
    late: bool
    source: Source
    is_more: bool


# The task that a report is of, whether it was its first, the task's duration, and the event's type
# and data.
_Step = tuple[Change, bool, int | None, str, str]


class Applied:
    """Reports that were applied to their tasks, on their way into the log."""

    def __init__(
        self, reports: Sequence[Report], task_keys: Sequence[TaskKey], changes: Changes, now: int
    ) -> None:
        """Apply the reports, in order. `task_keys`: the task of each. `changes`: the tasks that
        exist; afterwards as they have become, with the new ones."""
        self._reports = reports
        self._names = task_keys
        self._now = now
        self.usage: list[UsageTold] = []
        """What the reports tell of it, in order."""
        steps: list[_Step] = []
        for task_key, report in zip(task_keys, reports, strict=True):
            change = changes.get(task_key)
            if change is None:
                change = changes[task_key] = Change(0, None)
            before = change.after
            task = change.after = apply(before, report, now)
            late = is_late(before, report, now)
            data = event_data(report, task, now, late=late)
            is_more = report.usage_of is Source.OTLP
            if report.usage and (is_more or not late or is_of_present_attempt(task, report, now)):
                of = (task_key, task.attempt, report.agent, report.usage, late)
                self.usage.append(UsageTold(*of, report.usage_of, is_more))
            steps.append((change, before is None, task.duration_ms, event_type(report), data))
        self._steps = steps

    def events(self) -> list[EventRow]:
        """The rows of the log, once every new task has its id."""
        return [
            (task_key[1], change.id, type_, self._now, data)
            for task_key, (change, _, _, type_, data) in zip(self._names, self._steps, strict=True)
        ]

    def recorded(self, ids: Iterable[int]) -> list[Recorded]:
        """Each report's result, given the ids of their events in the log."""
        now = self._now
        return [
            # Encoded anew: what orjson gives keeps a buffer of many times its length.
            Recorded(
                id_,
                now,
                created,
                duration_ms,
                Event(id_, report.project, type_, shortening.event_data(data.encode()), now),
            )
            for id_, report, (_, created, duration_ms, type_, data) in zip(
                ids, self._reports, self._steps, strict=True
            )
        ]
