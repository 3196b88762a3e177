"""Reports, tasks and events. What a report does to a task is worked out by `tracker.domain.rules`.

Times are milliseconds since the epoch, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, overload

from tracker.domain.attention import NO_REQUESTS, Attention, Requests
from tracker.domain.usage import ModelTold, Source


class _PlainEnum(StrEnum):
    """A StrEnum that hashes as its text, so that either finds the other in a mapping."""

    __hash__ = str.__hash__  # Enum's differs, and is written in Python


class Kind(_PlainEnum):
    """The kind of a report; the last segment of its webhook's path."""

    START = "start"
    STATUS = "status"
    FINISH = "finish"
    ERROR = "error"


class Status(_PlainEnum):
    """The states of a task."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


ENDED: Final = frozenset({Status.COMPLETED, Status.FAILED})
ACTIVE: Final = tuple(status for status in Status if status not in ENDED)


class EventType(_PlainEnum):
    """The names of events: the API document's of those that reports become, and our own."""

    STARTED = "task_started"
    STATUS_UPDATED = "task_status_updated"
    FINISHED = "task_finished"
    ERROR = "task_error"
    SILENT = "task_silent"
    ACKNOWLEDGED = "task_acknowledged"
    SNOOZED = "task_snoozed"
    TASK_DELETED = "task_deleted"
    PROJECT_DELETED = "project_deleted"


BY_PEOPLE: Final = (EventType.ACKNOWLEDGED, EventType.SNOOZED)
"""What people do about tasks."""

NO_REPORTS: Final = (EventType.SILENT, *BY_PEOPLE)
"""What no agent has told of a task."""

DELETIONS: Final = (EventType.TASK_DELETED, EventType.PROJECT_DELETED)
"""What outlives what it tells about."""

# As plain text, which is encoded faster.
EVENT_TYPES: Final[Mapping[Kind, str]] = {
    Kind.START: EventType.STARTED.value,
    Kind.STATUS: EventType.STATUS_UPDATED.value,
    Kind.FINISH: EventType.FINISHED.value,
    Kind.ERROR: EventType.ERROR.value,
}


class Report(NamedTuple):
    """One webhook's content, validated. What the agent left out is None.

    `occurred_at`: when it happened, by the agent's clock; see `tracker.domain.rules.moment`.
    `usage_of`: who tells `usage`; telemetry tells how much more, the others tell totals.
    """

    kind: Kind
    project: str
    task_id: str
    title: str
    agent: str
    metadata: dict[str, Any] | None = None
    status: Status = Status.RUNNING
    progress: float | None = None
    message: str | None = None
    result: str | None = None
    duration_ms: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: str | None = None
    session: str | None = None
    parent_task_id: str | None = None
    attention: Attention | None = None
    stale_after_ms: int | None = None
    occurred_at: int | None = None
    usage: tuple[ModelTold, ...] = ()
    usage_of: Source = Source.REPORT


class Task(NamedTuple):
    """A task as the latest report left it. `finished_at` and `duration_ms` are set once it ended.

    `started_at` is when the present attempt began to run; `updated_at` when its last report
    arrived, `reported_at` the time of what the newest of its reports tells. `silent_since`: the
    time of its last report, once that is long ago (`tracker.domain.silence`).
    `metadata_truncated`: 1 if some of its reports' metadata did not fit. `acknowledged_at`,
    `snoozed_until`: by a person, until something new is to be seen to (`tracker.domain.acts`).
    """

    title: str
    agent: str
    status: Status
    progress: float
    attempt: int
    started_at: int
    finished_at: int | None
    duration_ms: int | None
    message: str | None
    result: str | None
    error_type: str | None
    error_message: str | None
    stack_trace: str | None
    metadata: dict[str, Any]
    created_at: int
    updated_at: int
    session: str | None = None
    parent_task_id: str | None = None
    requests: Requests = NO_REQUESTS
    stale_after_ms: int | None = None
    reported_at: int = 0
    silent_since: int | None = None
    metadata_truncated: int = 0
    acknowledged_at: int | None = None
    snoozed_until: int | None = None


class TaskSummary(NamedTuple):
    """A task in a project's list; `metadata` is a JSON object, as text, and `requests` a list.

    `overdue`, `blocked` (0 or 1): it runs for longer than its metadata has estimated, or waits for
    a task that its metadata names. `truncated`: long texts and metadata are cut, so that the list
    does not become too large.
    """

    id: int
    task_id: str
    title: str
    status: str
    progress: float
    agent: str
    started_at: int
    finished_at: int | None
    duration_ms: int | None
    result: str | None
    metadata: str
    attempt: int
    message: str | None
    error_type: str | None
    error_message: str | None
    created_at: int
    updated_at: int
    session: str | None
    parent_task_id: str | None
    requests: str | None
    stale_after_ms: int | None
    reported_at: int
    silent_since: int | None
    overdue: int
    blocked: int
    metadata_truncated: int
    acknowledged_at: int | None
    snoozed_until: int | None
    truncated: int = 0


@overload
def seconds(ms: int) -> float: ...


@overload
def seconds(ms: int | None) -> float | None: ...


def seconds(ms: int | None) -> float | None:
    """Milliseconds as the API's seconds: whole where they are whole (3600, not 3600.0)."""
    if ms is None:
        return None
    return ms // 1000 if ms % 1000 == 0 else ms / 1000


def trim_float(number: float) -> float:
    """75.0 as 75, so that numbers read as the API document prints them."""
    return int(number) if number == int(number) else number
