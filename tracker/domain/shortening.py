"""Bounds on what is sent at once (docs/contract.md, "Sizes").

Clients of every kind have limits of their own, and one that fails on a message can never resume
past it. What is larger is sent with its long texts and its metadata cut; the log and the task keep
all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from tracker.domain import attention, numbers
from tracker.domain.attention import Requests
from tracker.domain.limits import MAX_MESSAGE_BYTES

# What surrounds an event's data in a message, of SSE too.
_AROUND: Final = 1024

_MAX_DATA: Final = MAX_MESSAGE_BYTES - _AROUND

# These add up to less than a message, however many bytes a character takes.
_MAX_TEXT: Final = 2000  # characters
_MAX_ITEM_TEXT: Final = 500  # characters, in a list
_MAX_ITEMS: Final = 20
_MAX_METADATA: Final = 64 * 1024  # bytes
_MAX_VALUE: Final = 4096  # bytes, of a name in it
_MAX_REQUESTS: Final = 8 * 1024  # bytes, of a task in a list or in an event


def event_data(data: bytes) -> bytes:
    """An event's data as it is sent: `truncated` if it had to be cut."""
    if len(data) <= _MAX_DATA:
        return data
    return orjson.dumps({**fields(numbers.loads(data)), "truncated": True})


def fields(content: Mapping[str, Any], max_metadata: int = _MAX_METADATA) -> dict[str, Any]:
    """The fields of an event or a task, cut. `max_metadata`: in bytes."""
    shortened = {name: _cut(value, _MAX_TEXT) for name, value in content.items()}
    if isinstance(content.get("metadata"), dict):
        shortened["metadata"] = metadata(content["metadata"], max_metadata)
    return shortened


def metadata(content: Mapping[str, Any], limit: int = _MAX_METADATA) -> dict[str, Any]:
    """The names whose values are short, the first of them that fit in `limit` bytes."""
    kept = {}
    for name, value in content.items():
        size = len(orjson.dumps({name: value}))
        if size <= _MAX_VALUE and size <= limit:
            limit -= size
            kept[name] = value
    return kept


def requests(dumped: str | None) -> str | None:
    """A task's requests in a list of tasks, as `Requests.dump` in JSON: all, or the one that has
    waited for longest if they are long."""
    if dumped is None or len(dumped.encode()) <= _MAX_REQUESTS:
        return dumped
    return orjson.dumps(_oldest(attention.load(orjson.loads(dumped))).dump()).decode()


def requests_in_event(known: Requests) -> Requests:
    """The same for an event: each report writes one, and all of a task's requests may be thousands
    of times as long as a report."""
    return known if len(orjson.dumps(known.dump())) <= _MAX_REQUESTS else _oldest(known)


def _oldest(known: Requests) -> Requests:
    return Requests(known.open[:1])


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}…"
    if isinstance(value, list):
        return [
            {name: _cut(part, _MAX_ITEM_TEXT) for name, part in item.items()}
            if isinstance(item, dict)
            else item
            for item in value[:_MAX_ITEMS]
        ]
    return value
