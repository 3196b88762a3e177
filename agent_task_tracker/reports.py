"""Makes the reports of a job."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent_task_tracker.fields import Note, clean
from agent_task_tracker.report import MAX_BYTES, Report, iso, name_of

# What a report of the largest size is made of, in the order in which it is left out.
_LARGE: Final = ("metadata", "stack_trace", "result", "error_message", "message")

_MILLISECOND: Final = 1_000_000  # nanoseconds


class Reports:
    """Makes reports. Any thread may; those of one thread sort in the order they were made in."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        """`now_ns`: nanoseconds since 1970."""
        self._now_ns = now_ns
        self._numbers = itertools.count()
        self._last = self._last_end = 0
        self._unique = secrets.token_urlsafe(12)

    def make(self, kind: str, given: Mapping[str, Any], note: Note) -> Report:
        """A report of now, unless `given` has an `occurred_at`. See `fields.clean`. Never
        raises."""
        # A clock that is set back does not change the order. Two threads may get the same time: the
        # number tells their reports apart.
        now = max(self._now_ns(), self._last)
        if kind == "start":  # by milliseconds it has to be later than an end to open an attempt
            now = max(now, self._last_end + _MILLISECOND)
        elif kind in ("finish", "error"):
            self._last_end = now
        self._last = now
        number = next(self._numbers)
        process = os.getpid()
        fields = clean(kind, given, note)
        fields.setdefault("occurred_at", iso(now))
        fields["kind"] = kind
        # Unique for each object of this class; a forked child's differs by the process.
        fields["idempotency_key"] = f"{self._unique}-{process}-{number}"
        return Report(
            name_of(now, process, number, kind),
            fields["project"],
            fields["task_id"],
            _encode(fields, note),
        )


def _encode(fields: dict[str, Any], note: Note) -> bytes:
    content = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    for name in _LARGE:
        if len(content) <= MAX_BYTES:
            break
        if fields.pop(name, None) is not None:
            note(f"{name}: left out, for the report would be larger than any that the server takes")
            if name == "error_message":
                fields[name] = ""
            content = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    return content
