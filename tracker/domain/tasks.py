"""Reports, tasks, events, and the rules by which a report changes a task.

`apply` is pure: the state rules (API document; docs/contract.md, "Webhooks") are here
and nowhere else. Times are milliseconds since the epoch, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, overload


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
    """The API document's names of the events that reports become."""

    STARTED = "task_started"
    STATUS_UPDATED = "task_status_updated"
    FINISHED = "task_finished"
    ERROR = "task_error"


# As plain text, which is encoded faster.
EVENT_TYPES: Final[Mapping[Kind, str]] = {
    Kind.START: EventType.STARTED.value,
    Kind.STATUS: EventType.STATUS_UPDATED.value,
    Kind.FINISH: EventType.FINISHED.value,
    Kind.ERROR: EventType.ERROR.value,
}


class Report(NamedTuple):
    """One webhook's content, validated. What the agent left out is None."""

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


class Task(NamedTuple):
    """A task as the latest report left it. `finished_at` and `duration_ms` are set once it ended.

    `started_at` is when the present attempt began to run.
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


class TaskSummary(NamedTuple):
    """A task in a project's list; `metadata` is a JSON object, as text."""

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


def apply(task: Task | None, report: Report, now: int) -> Task:
    """The task after `report`, which arrived at `now`; `task` is None if it was never seen.

    Returns `task` itself, the same object, when a late status leaves it as it is.
    """
    if task is None:
        task = _new_task(report, now)
    elif report.kind is Kind.STATUS and task.status in ENDED:
        return task
    else:
        task = task._replace(
            title=report.title or task.title,
            agent=report.agent,
            metadata={**task.metadata, **report.metadata} if report.metadata else task.metadata,
            updated_at=now,
        )
    return _RULES[report.kind](task, report, now)


def _new_task(report: Report, now: int) -> Task:
    """Any report creates its task, so that none is lost because an earlier one was."""
    started_at = now - (report.duration_ms or 0)
    begun = (report.title or report.task_id, report.agent, Status.RUNNING, 0, 1, started_at)
    return Task(*begun, *_NOT_ENDED, report.metadata or {}, now, now)


# From `finished_at` to `stack_trace`.
_NOT_ENDED: Final = (None, None, None, None, None, None, None)


def _start(task: Task, _report: Report, now: int) -> Task:
    if task.status is Status.RUNNING:
        return task
    if task.status is Status.PENDING:
        return task._replace(status=Status.RUNNING, started_at=now)
    return task._replace(
        status=Status.RUNNING,
        progress=0,
        attempt=task.attempt + 1,
        started_at=now,
        finished_at=None,
        duration_ms=None,
        message=None,
        result=None,
        error_type=None,
        error_message=None,
        stack_trace=None,
    )


def _status(task: Task, report: Report, now: int) -> Task:
    task = task._replace(
        progress=task.progress if report.progress is None else report.progress,
        message=task.message if report.message is None else report.message,
    )
    if report.status is Status.COMPLETED:
        return _finish(task, report, now)
    if report.status is Status.FAILED:
        return _fail(task, report, now)
    waited = task.status is Status.PENDING and report.status is Status.RUNNING
    return task._replace(status=report.status, started_at=now if waited else task.started_at)


def _finish(task: Task, report: Report, now: int) -> Task:
    return _end(task, Status.COMPLETED, report, now)._replace(
        progress=100,
        result=task.result if report.result is None else report.result,
        error_type=None,
        error_message=None,
        stack_trace=None,
    )


def _fail(task: Task, report: Report, now: int) -> Task:
    return _end(task, Status.FAILED, report, now)._replace(
        result=None,
        error_type=report.error_type,
        error_message=report.error_message,
        stack_trace=report.stack_trace,
    )


def _end(task: Task, status: Status, report: Report, now: int) -> Task:
    """A repeated end (a client's retry) changes neither the time nor the measured duration."""
    finished_at, measured = task.finished_at, task.duration_ms
    if task.status is not status or finished_at is None:
        finished_at, measured = now, max(0, now - task.started_at)
    return task._replace(
        status=status,
        finished_at=finished_at,
        duration_ms=measured if report.duration_ms is None else report.duration_ms,
    )


_RULES: Final[Mapping[Kind, Callable[[Task, Report, int], Task]]] = {
    Kind.START: _start,
    Kind.STATUS: _status,
    Kind.FINISH: _finish,
    Kind.ERROR: _fail,
}


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
