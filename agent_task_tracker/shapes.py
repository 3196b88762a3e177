"""The shapes of the server's responses that our clients rely on: fields and their types.

Anything may listen at an address. What does not fit is no tracker, of whatever version, and is not
used. A name that ends with `?` is optional; other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

# An object with these fields, a list of such items, or a check of one value.
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


def _integer(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _number(value: Any) -> bool:
    return _integer(value) or (type(value) is float and abs(value) < 2**63)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _time(value: Any) -> bool:
    """ISO 8601 with a zone, in years that every system can convert to local time."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return moment.tzinfo is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _or_null(shape: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or shape(value)


RPC: Final[Shape] = {
    "jsonrpc": _text,
    "result?": _object,
    "error?": {"code": _integer, "message": _text},
}
_AMOUNTS: Final[dict[str, Shape]] = {
    "input_tokens": _integer,
    "output_tokens": _integer,
    "cache_read_tokens": _integer,
    "cache_write_tokens": _integer,
    "cost_usd": _number,
}
USAGE: Final[Shape] = {**_AMOUNTS, "models?": [{"model": _or_null(_text), **_AMOUNTS}]}


def _usage(value: Any) -> bool:
    return value is None or fits(value, USAGE)


HEALTH: Final[Shape] = {"status": _text}
REPORTED: Final[Shape] = {"message": _text, "event_id": _integer}
BATCH: Final[Shape] = {"results": [{"error?": _object}]}

PROJECT: Final[Shape] = {
    "name": _text,
    "task_count": _integer,
    "active_tasks": _integer,
    "updated_at": _or_null(_time),
}
# What somebody may have to see to. Servers before it existed tell nothing of it.
_ATTENTION: Final[dict[str, Shape]] = {
    "attention?": _or_null(_text),
    "attention_since?": _or_null(_time),
    "requests?": [{"text": _text, "since": _time}],
    "silent_since?": _or_null(_time),
}
_TASK: Final[dict[str, Shape]] = {
    **_ATTENTION,
    "usage?": _usage,
    "session?": _or_null(_text),
    "parent_task_id?": _or_null(_text),
    "overdue?": _flag,
    "blocked?": _flag,
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
PROJECTS: Final[Shape] = {"projects": [PROJECT], "total": _integer}
TASKS: Final[Shape] = {"tasks": [_TASK], "total": _integer}
ALL_TASKS: Final[Shape] = {"tasks": [{**_TASK, "project": _text}], "total": _integer}

TIMELINE: Final[Shape] = {
    "agents": [{"agent": _text, "running": [_integer]}],
    "bin_seconds": _number,
    "total": _integer,
}

SESSIONS: Final[Shape] = {
    "sessions": [{"project": _text, "session": _text, "agent": _text, "state": _text}],
    "total": _integer,
}

_MESSAGE_FIELDS: Final[dict[str, Shape]] = {
    "type": _text,
    "timestamp": _time,
    "data": {
        "project?": _text,
        "task_id?": _text,
        "title?": _text,
        "status?": _text,
        "progress?": _number,
        **_ATTENTION,
    },
}
# An event or a notice, as streams send it.
MESSAGE: Final[dict[str, Shape]] = {"id?": _integer, **_MESSAGE_FIELDS}
_EVENT: Final[Shape] = {"id": _integer, **_MESSAGE_FIELDS}
EVENTS: Final[Shape] = {
    "events": [_EVENT],
    "last_id": _integer,
    "has_more": _flag,
    "oldest_id": _integer,
    "resync_required": _flag,
}
TASK: Final[Shape] = {
    **_TASK,
    "project": _text,
    "attempt": _integer,
    "stack_trace": _or_null(_text),
    "metadata": _or_null(_object),
    "usage_total?": _usage,
    "events": [_EVENT],
}

_PERFORMANCE: Final[Shape] = {
    "success_rate": _number,
    "finished_success_rate": _number,
    "average_duration": _number,
}
STATS: Final[Shape] = {
    "overview": {"total_tasks": _integer, "active_tasks": _integer, "failed_tasks": _integer},
    "performance": _PERFORMANCE,
    "usage?": _usage,
    "agents": [
        {
            "name": _text,
            "task_count": _integer,
            "success_rate": _number,
            "average_duration": _number,
            "usage?": _usage,
        }
    ],
}
PROJECT_STATS: Final[Shape] = {
    "project": _text,
    "task_stats": {"total": _integer, "running": _integer, "pending": _integer, "failed": _integer},
    "performance": _PERFORMANCE,
    "usage?": _usage,
    "timeline": [{"date": _text, "completed": _integer, "failed": _integer}],
}

_KEY: Final[dict[str, Shape]] = {
    "name": _text,
    "role": _text,
    "projects": _or_null(_texts),
    "created_at": _time,
    "expires_at": _or_null(_time),
    "last_used_at": _or_null(_time),
    "last_used_from": _or_null(_text),
    "rotating_until": _or_null(_time),
}
KEYS: Final[Shape] = {"keys": [_KEY]}
NEW_KEY: Final[Shape] = {**_KEY, "key": _text}
AUDIT: Final[Shape] = {
    "entries": [
        {
            "id": _integer,
            "last_at": _time,
            "count": _integer,
            "action": _text,
            "by": _or_null(_text),
            "address": _text,
            "subject": _text,
            "details": _object,
        }
    ],
    "has_more": _flag,
}
AGENTS: Final[Shape] = {
    "agents": [
        {
            "agent": _text,
            "sessions": _integer,
            "last_at": _or_null(_time),
            "payloads": _integer,
            "unknown": _object,
        }
    ]
}
