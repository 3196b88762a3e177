"""A report on its way to a server: made once, and from then on the same bytes, however often and by
whom it is sent."""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from agent_task_tracker.fields import Note, clean

KINDS: Final = ("start", "status", "finish", "error")

# The server's limits on a request, less what surrounds a report in it.
MAX_REPORTS: Final = 500
MAX_BYTES: Final = 1_000_000

# What a report of that size is made of, in the order in which it is left out.
_LARGE: Final = ("metadata", "stack_trace", "result", "error_message", "message")

_MILLISECOND: Final = 1_000_000  # nanoseconds

_NAME: Final = re.compile(rf"\d{{20}}-\d{{7,}}-\d{{6,}}\.({'|'.join(KINDS)})")


class Report(NamedTuple):
    """One report. `name` sorts by when it was handed over, across processes, and ends with the
    kind; `content` is the JSON object that a batch takes."""

    name: str
    project: str
    task_id: str
    content: bytes

    @property
    def kind(self) -> str:
        """Start, status, finish or error."""
        return kind_of(self.name)

    @property
    def task(self) -> tuple[str, str]:
        """What names its task."""
        return self.project, self.task_id


def kind_of(name: str) -> str:
    """The kind in a report's name."""
    return name.rpartition(".")[2]


def process_of(name: str) -> int:
    """The process in a report's name."""
    return int(name.split("-")[1])


def is_name(name: str) -> bool:
    """Whether that is a report's name."""
    return _NAME.fullmatch(name) is not None


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
            f"{now:020d}-{process:07d}-{number:06d}.{kind}",
            fields["project"],
            fields["task_id"],
            _encode(fields, note),
        )


def iso(now_ns: int) -> str:
    """A time in UTC with milliseconds, as the server writes them."""
    moment = datetime.fromtimestamp(now_ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
