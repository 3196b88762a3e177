"""What somebody may have to see to, of a task or of an event's data, which have the same fields for
it; those from an older server have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracker.cli.marks import SILENT, WAITING
from tracker.cli.output import local_time
from tracker.domain.tasks import ENDED, Status

_MOST_NAMED: Final = 20


def shown_status(task: Mapping[str, Any]) -> str:
    """Its status, or `waiting` while it needs a person, or `silent` when it is not heard of."""
    status = str(task.get("status", ""))
    if status not in ENDED and task.get("attention"):
        return WAITING
    if status == Status.RUNNING and task.get("silent_since"):
        return SILENT
    return status


def asked(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its open requests, the oldest first; of what was cut, at least that one."""
    if shown_status(task) != WAITING:
        return []
    oldest = {"text": task["attention"], "since": task.get("attention_since")}
    return task.get("requests") or [oldest]


def opened(event: Mapping[str, Any]) -> str | None:
    """What this very report asked, if anything: it is open since what the report told happened."""
    data = event["data"]
    moment = data.get("occurred_at") or event["timestamp"]
    new = [request["text"] for request in asked(data) if request["since"] == moment]
    return new[-1] if new else None


def brief_note(task: Mapping[str, Any]) -> str:
    """All of it in one cell of a table; of several requests the oldest."""
    return "; ".join(_brief_notes(task))


def _brief_notes(task: Mapping[str, Any]) -> Iterator[str]:
    status = shown_status(task)
    if status == WAITING:
        more = len(asked(task)) - 1
        yield task["attention"] + (f" (and {more} more)" if more > 0 else "")
    if status == SILENT:
        yield unheard(task)
    if task.get("overdue"):
        yield "overdue"
    if task.get("blocked"):
        yield "blocked"


def notes(task: Mapping[str, Any]) -> Iterator[str]:
    """All of it, a line each."""
    for request in asked(task):
        yield f"Needs you since {local_time(request['since'])}: {request['text']}"
    if shown_status(task) == SILENT:
        yield unheard(task).capitalize()
    if task.get("overdue"):
        yield "Overdue: it takes longer than was estimated"
    if task.get("blocked"):
        yield f"Blocked: it depends on {_dependencies(task)}, and not all of it is completed"


def unheard(task: Mapping[str, Any]) -> str:
    """Since when nothing is heard of it."""
    return f"not heard of since {local_time(task['silent_since'])}"


def _dependencies(task: Mapping[str, Any]) -> str:
    named = (task.get("metadata") or {}).get("dependencies")
    names = [str(name) for name in named] if isinstance(named, list) else []
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
