"""The rules by which a report changes a task: pure, and nowhere else (API document;
docs/contract.md, "Webhooks"). Times are milliseconds since the epoch, durations milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from tracker.domain.acts import ended_by_news
from tracker.domain.attention import NO_REQUESTS
from tracker.domain.limits import MAX_AGE_OF_REPORT, MAX_CLOCK_AHEAD, MAX_METADATA_BYTES
from tracker.domain.tasks import ENDED, Kind, Report, Status, Task


def moment(report: Report, now: int) -> int:
    """When what `report` tells happened; `now`: when it arrived. A time that cannot be right is
    taken as the nearest one that can."""
    if report.occurred_at is None:
        return now
    return min(max(report.occurred_at, now - MAX_AGE_OF_REPORT), now + MAX_CLOCK_AHEAD)


def is_late(task: Task | None, report: Report, now: int) -> bool:
    """Whether the task has gone on since what `report` tells: newer reports were applied, or it has
    ended. Then the report only fills what is empty. One that does not say when it happened
    is only late as a status of a task that has ended. No report can have told of a time that is
    still to come: if it has, this server's clock was put back, and what comes now is newer."""
    if task is None:
        return False
    if report.kind is Kind.STATUS and task.status in ENDED:
        return True
    if report.occurred_at is None:
        return False
    at, latest = moment(report, now), now + MAX_CLOCK_AHEAD
    ended_at = task.finished_at
    if report.kind is Kind.START and ended_at is not None and at <= ended_at <= latest:
        return True
    return at < task.reported_at <= latest


def is_of_present_attempt(task: Task, report: Report, now: int) -> bool:
    """Whether a late report is of the attempt that the task, after it, is at, as far as that can be
    told."""
    return task.attempt == 1 or moment(report, now) >= task.started_at


def apply(task: Task | None, report: Report, now: int) -> Task:
    """The task after `report`, which arrived at `now`; `task` is None if it was never seen.

    Returns `task` itself, the same object, when a late report leaves it as it is.
    """
    at, before = moment(report, now), task
    if task is None:
        task = _new_task(report, at, now)
    elif is_late(task, report, now):
        if report.occurred_at is None:
            return task
        return ended_by_news(task, _fill(task, report, at, now))
    else:
        if task.reported_at > now + MAX_CLOCK_AHEAD:  # the clock was put back
            task = task._replace(reported_at=at, started_at=min(at, task.started_at))
        task = task._replace(
            title=report.title or task.title,
            agent=report.agent,
            updated_at=now,
            session=report.session or task.session,
            parent_task_id=report.parent_task_id or task.parent_task_id,
            requests=task.requests.after(report.attention, at, late=False)
            if report.attention or task.requests
            else task.requests,
            stale_after_ms=report.stale_after_ms or task.stale_after_ms,
            reported_at=max(at, task.reported_at),
            silent_since=None,
        )
        if report.metadata:
            task = _merge(task, {**task.metadata, **report.metadata})
    task = _RULES[report.kind](task, report, at)
    return task if before is None else ended_by_news(before, task)


def _new_task(report: Report, at: int, now: int) -> Task:
    """Any report creates its task, so that none is lost because an earlier one was."""
    started_at = at - (report.duration_ms or 0)
    begun = (report.title or report.task_id, report.agent, Status.RUNNING, 0, 1, started_at)
    task = Task(
        *begun,
        *_NOT_ENDED,
        {},
        now,
        now,
        report.session,
        report.parent_task_id,
        NO_REQUESTS.after(report.attention, at, late=False) if report.attention else NO_REQUESTS,
        report.stale_after_ms,
        at,
    )
    return _merge(task, report.metadata) if report.metadata else task


def _merge(task: Task, metadata: dict[str, Any]) -> Task:
    """The task with this metadata, unless it is too large. The history has all of it."""
    if len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        return task._replace(metadata_truncated=1)
    return task._replace(metadata=metadata)


# From `finished_at` to `stack_trace`.
_NOT_ENDED: Final = (None, None, None, None, None, None, None)


def _start(task: Task, _report: Report, at: int) -> Task:
    if task.status is Status.RUNNING:
        return task
    if task.status is Status.PENDING:
        return task._replace(status=Status.RUNNING, started_at=at)
    return task._replace(
        status=Status.RUNNING,
        progress=0,
        attempt=task.attempt + 1,
        started_at=at,
        finished_at=None,
        duration_ms=None,
        message=None,
        result=None,
        error_type=None,
        error_message=None,
        stack_trace=None,
    )


def _status(task: Task, report: Report, at: int) -> Task:
    task = task._replace(
        progress=task.progress if report.progress is None else report.progress,
        message=task.message if report.message is None else report.message,
    )
    if report.status is Status.COMPLETED:
        return _finish(task, report, at)
    if report.status is Status.FAILED:
        return _fail(task, report, at)
    waited = task.status is Status.PENDING and report.status is Status.RUNNING
    return task._replace(status=report.status, started_at=at if waited else task.started_at)


def _finish(task: Task, report: Report, at: int) -> Task:
    return _end(task, Status.COMPLETED, report, at)._replace(
        progress=100,
        result=task.result if report.result is None else report.result,
        error_type=None,
        error_message=None,
        stack_trace=None,
    )


def _fail(task: Task, report: Report, at: int) -> Task:
    return _end(task, Status.FAILED, report, at)._replace(
        result=None,
        error_type=report.error_type,
        error_message=report.error_message,
        stack_trace=report.stack_trace,
    )


def _end(task: Task, status: Status, report: Report, at: int) -> Task:
    """A repeated end (a client's retry) changes neither the time nor the measured duration."""
    finished_at, measured = task.finished_at, task.duration_ms
    if task.status is not status or finished_at is None:
        finished_at, measured = at, max(0, at - task.started_at)
    return task._replace(
        status=status,
        finished_at=finished_at,
        duration_ms=measured if report.duration_ms is None else report.duration_ms,
        requests=NO_REQUESTS,
        silent_since=None,
    )


_RULES: Final[Mapping[Kind, Callable[[Task, Report, int], Task]]] = {
    Kind.START: _start,
    Kind.STATUS: _status,
    Kind.FINISH: _finish,
    Kind.ERROR: _fail,
}

# How a report of its kind and status leaves its task.
_ENDS: Final[Mapping[tuple[Kind, Status], Callable[[Task, Report, int], Task]]] = {
    (Kind.FINISH, Status.RUNNING): _finish,
    (Kind.ERROR, Status.RUNNING): _fail,
    (Kind.STATUS, Status.COMPLETED): _finish,
    (Kind.STATUS, Status.FAILED): _fail,
}


def _fill(task: Task, report: Report, at: int, now: int) -> Task:
    """The task with what a late report knows and no newer one has told: what is empty, an earlier
    start, a missing end."""
    after = task._replace(
        title=report.title if report.title and task.title == report.task_id else task.title,
        session=task.session or report.session,
        parent_task_id=task.parent_task_id or report.parent_task_id,
        stale_after_ms=task.stale_after_ms or report.stale_after_ms,
    )
    if report.metadata:
        after = _merge(after, {**report.metadata, **task.metadata})
    # How an attempt before this one went, and what it needed a person for, is in the history only.
    if is_of_present_attempt(task, report, now):
        after = _fill_attempt(after, report, at)
    return task if after == task else after._replace(updated_at=now)


def _fill_attempt(task: Task, report: Report, at: int) -> Task:
    task = task._replace(
        message=report.message if task.message is None else task.message,
        progress=task.progress or report.progress or 0,
    )
    # Of another attempt it is not known when the one before it ended.
    if task.attempt == 1 and at < task.started_at and report.status is not Status.PENDING:
        task = _begun_at(task, at)
    if task.status in ENDED:
        return _fill_outcome(task, report)
    end = _ENDS.get((report.kind, report.status))
    if end is not None and at >= task.started_at:
        return end(task, report, at)
    return task._replace(requests=task.requests.after(report.attention, at, late=True))


def _begun_at(task: Task, at: int) -> Task:
    """A measured duration changes with it; one that was told does not."""
    finished_at, duration_ms = task.finished_at, task.duration_ms
    if finished_at is not None and duration_ms == max(0, finished_at - task.started_at):
        duration_ms = finished_at - at
    return task._replace(started_at=at, duration_ms=duration_ms)


def _fill_outcome(task: Task, report: Report) -> Task:
    if task.status is Status.COMPLETED:
        return task._replace(result=report.result if task.result is None else task.result)
    if task.error_type is None and task.error_message is None:
        return task._replace(
            error_type=report.error_type,
            error_message=report.error_message,
            stack_trace=report.stack_trace,
        )
    return task
