"""Makes of any fields what the server takes. Nothing raises here: a job is not to fail because of
what it wanted to tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final

from agent_task_tracker.trimming import cut, trim_stack_trace

# The server's limits, in characters.
MAX_NAME: Final = 255
MAX_TITLE: Final = 1000
MAX_MESSAGE: Final = 10_000
MAX_ATTENTION: Final = 1000

# In seconds.
MAX_DURATION: Final = 100 * 366 * 86_400
MAX_STALE_AFTER: Final = 30 * 86_400

# Of an attempt.
MAX_MODELS: Final = 100
MAX_TOKENS: Final = 10**12
MAX_COST_USD: Final = 10**6

STATUSES: Final = ("pending", "running", "completed", "failed")

# Of results, error types and messages: theirs is the body's limit. In characters.
_MAX_TEXT: Final = 100_000

# Of metadata: so many items in all, and levels.
_MAX_ITEMS: Final = 10_000
_MAX_DEPTH: Final = 50
_INTEGER_LIMIT: Final = 10**300  # beyond it Python refuses to write one out

# The server takes a project, a task's id and an agent only if they say something.
_UNNAMED: Final = "unnamed"

_TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")

Fields = dict[str, Any]

# What was changed, in a few words; called at most once for each field.
Note = Callable[[str], None]


def clean(kind: str, given: Mapping[str, Any], note: Note) -> Fields:
    """The fields as the server takes them for this kind of report: texts cut, numbers within their
    bounds, what is no JSON converted, what has no value left out. `note` is told of each field that
    had to be changed."""
    fields: Fields = {"project": _UNNAMED, "task": "", "task_id": _UNNAMED, "agent": _UNNAMED}
    if kind == "error":
        fields |= {"error_type": "Error", "error_message": ""}
    for name, value in given.items():
        if value is None and not (name == "attention" and given.get("attention_id")):
            continue
        try:
            cleaned = _CLEANERS.get(name, _json)(value)
            is_changed = name in _TOLD and bool(cleaned != value)
        except Exception:  # noqa: BLE001 - a property of theirs that raises
            cleaned, is_changed = _DROPPED, False
        if cleaned is _DROPPED:
            note(f"{name}: left out, for it is nothing that this field takes")
            continue
        if is_changed:
            note(f"{name}: shortened, or converted to what this field takes")
        fields[_text(name, MAX_NAME)] = cleaned
    if fields.get("parent_task_id") == fields["task_id"]:
        del fields["parent_task_id"]
        note("parent_task_id: left out, for a task cannot have started itself")
    return fields


class _Dropped:
    """The one value that says: nothing can be made of it."""


_DROPPED: Final = _Dropped()


def _text(value: Any, limit: int) -> str:
    text = value if isinstance(value, str) else "" if value is None else text_of(value)
    # Lone surrogates, as in names of files that are not UTF-8, become question marks.
    text = text[: limit + 1].encode("utf-8", "replace").decode().replace("\0", "")
    return cut(text, limit)


def text_of(value: Any) -> str:
    """Its text, even if it cannot say."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - theirs
        return f"<{type(value).__name__}>"


def _name(value: Any) -> Any:
    return _text(value, MAX_NAME) or _DROPPED


def _required_name(value: Any) -> Any:
    return _text(value, MAX_NAME) or _UNNAMED


def _number(value: Any, low: float, high: float) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _DROPPED
    if math.isnan(number):
        return _DROPPED
    number = float(min(max(number, low), high))
    return int(number) if number.is_integer() else number


def _status(value: Any) -> Any:
    text = str(getattr(value, "value", value))
    return text if text in STATUSES else _DROPPED


def _trace(value: Any) -> str:
    return trim_stack_trace(_text(value, 10_000_000))


def _usage(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _usage_of(value) or _DROPPED
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        each = [_usage_of(item) for item in islice(value, MAX_MODELS) if isinstance(item, Mapping)]
        return [item for item in each if item] or _DROPPED
    return _DROPPED


def _usage_of(value: Mapping[Any, Any]) -> Fields:
    usage: Fields = {}
    for name in _TOKENS:
        number = _number(value.get(name), 0, MAX_TOKENS)
        if number is not _DROPPED:
            usage[name] = int(number)
    cost = _number(value.get("cost_usd"), 0, MAX_COST_USD)
    if cost is not _DROPPED:
        usage["cost_usd"] = cost
    if value.get("model"):
        usage["model"] = _text(value["model"], MAX_NAME)
    return usage


def _attention(value: Any) -> str | None:
    return None if value is None else _text(value, MAX_ATTENTION)


def _stale_after(value: Any) -> Any:
    seconds = _number(value, 0, MAX_STALE_AFTER)
    return seconds if seconds is not _DROPPED and seconds > 0 else _DROPPED


def _object(value: Any) -> Any:
    return _json(value) if isinstance(value, Mapping) else _DROPPED


def _time(value: Any) -> Any:
    """A time without a zone is local, as `datetime.now()` gives it."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return _DROPPED


def _json(value: Any) -> Any:
    left = iter(range(_MAX_ITEMS))
    return _value(value, _MAX_DEPTH, left)


def _value(value: Any, depth: int, left: Iterator[int]) -> Any:
    if next(left, None) is None or depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {
            _text(key, MAX_TITLE): _value(item, depth - 1, left)
            for key, item in islice(value.items(), _MAX_ITEMS)
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item, depth - 1, left) for item in islice(value, _MAX_ITEMS)]
    item = getattr(value, "item", None)  # a number of numpy's or of a tensor library's
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) < _INTEGER_LIMIT:
        return int(value)
    return value.isoformat() if isinstance(value, date) else _text(value, _MAX_TEXT)


_CLEANERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("project", "task_id", "agent"), lambda value: _text(value, MAX_NAME) or _UNNAMED
    ),
    **dict.fromkeys(("session", "parent_task_id", "attention_id"), _name),
    "task": lambda value: _text(value, MAX_TITLE),
    "message": lambda value: _text(value, MAX_MESSAGE),
    **dict.fromkeys(
        ("result", "error_type", "error_message"), lambda value: _text(value, _MAX_TEXT)
    ),
    "stack_trace": _trace,
    "status": _status,
    "progress": lambda value: _number(value, 0, 100),
    "duration_seconds": lambda value: _number(value, 0, MAX_DURATION),
    "stale_after_seconds": _stale_after,
    "usage": _usage,
    "attention": _attention,
    "metadata": _object,
    "occurred_at": _time,
}

# What is told when it had to be changed. In the others that is as it should be: metadata takes
# anything, a stack trace is cut.
_TOLD: Final = frozenset({*_CLEANERS}) - {
    "metadata",
    "occurred_at",
    "stack_trace",
    "status",
    "usage",
}
