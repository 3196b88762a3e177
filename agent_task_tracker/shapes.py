"""What our programs rely on in a server's answers: fields, and what may be in them.

Anything may listen at an address. By this it is told from a tracker, of whatever version, before
somebody uses what it says. A name that ends with `?` may be missing; other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

# An object with these fields, a list of such, or what one value has to be.
Shape: TypeAlias = "dict[str, Shape] | list[Shape] | Callable[[Any], bool]"

_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 2999


def fits(value: Any, shape: Shape) -> bool:
    """Whether the value has the shape."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            _has(value, name, inner) for name, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return shape(value)


def _has(value: dict[str, Any], name: str, shape: Shape) -> bool:
    field = name.removesuffix("?")
    return fits(value[field], shape) if field in value else field != name


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _number(value: Any) -> bool:
    return _whole(value) or (type(value) is float and abs(value) < 2**63)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _time(value: Any) -> bool:
    """ISO 8601 with its zone, in years that every system can turn into local time."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return moment.tzinfo is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR


def _or_null(shape: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or shape(value)


HEALTH: Final[Shape] = {"status": _text}
REPORTED: Final[Shape] = {"message": _text, "event_id": _whole}

_PROJECT: Final[Shape] = {
    "name": _text,
    "task_count": _whole,
    "active_tasks": _whole,
    "updated_at": _or_null(_time),
}
_TASK: Final[dict[str, Shape]] = {
    "task_id": _text,
    "title": _text,
    "status": _text,
    "agent": _text,
    "progress": _number,
    "duration_seconds": _or_null(_number),
    "started_at": _or_null(_time),
    "finished_at": _or_null(_time),
    "message": _or_null(_text),
    "result": _or_null(_text),
    "error_type": _or_null(_text),
    "error_message": _or_null(_text),
}
PROJECTS: Final[Shape] = {"projects": [_PROJECT], "total": _whole}
TASKS: Final[Shape] = {"tasks": [_TASK], "total": _whole}

_SAID: Final[dict[str, Shape]] = {
    "type": _text,
    "timestamp": _time,
    "data": {
        "project?": _text,
        "task_id?": _text,
        "title?": _text,
        "status?": _text,
        "progress?": _number,
    },
}
# An event or a notice, as streams send it.
MESSAGE: Final[dict[str, Shape]] = {"id?": _whole, **_SAID}
_EVENT: Final[Shape] = {"id": _whole, **_SAID}
EVENTS: Final[Shape] = {
    "events": [_EVENT],
    "last_id": _whole,
    "has_more": _flag,
    "oldest_id": _whole,
    "resync_required": _flag,
}
TASK: Final[Shape] = {
    **_TASK,
    "project": _text,
    "attempt": _whole,
    "stack_trace": _or_null(_text),
    "metadata": _or_null(_object),
    "events": [_EVENT],
}

_PERFORMANCE: Final[Shape] = {
    "success_rate": _number,
    "finished_success_rate": _number,
    "average_duration": _number,
}
STATS: Final[Shape] = {
    "overview": {"total_tasks": _whole, "active_tasks": _whole, "failed_tasks": _whole},
    "performance": _PERFORMANCE,
    "agents": [
        {
            "name": _text,
            "task_count": _whole,
            "success_rate": _number,
            "average_duration": _number,
        }
    ],
}
PROJECT_STATS: Final[Shape] = {
    "project": _text,
    "task_stats": {"total": _whole, "running": _whole, "pending": _whole, "failed": _whole},
    "performance": _PERFORMANCE,
    "timeline": [{"date": _text, "completed": _whole, "failed": _whole}],
}
