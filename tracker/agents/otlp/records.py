"""What an export of OTLP holds, whichever form it came in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

Attributes = Mapping[str, Any]


class Signal(StrEnum):
    """The last segment of an endpoint's path."""

    LOGS = "logs"
    METRICS = "metrics"
    TRACES = "traces"


class Record(NamedTuple):
    """A log record, or a data point of a sum. `name`: the event's, or the metric's. `at`: when it
    happened, in milliseconds, if it says so. `amount`, `is_delta`: of a data point."""

    name: str
    attributes: Attributes
    resource: Attributes
    at: int | None
    amount: float | None = None
    is_delta: bool = True


class Link(NamedTuple):
    """An event of a span: `at` in milliseconds."""

    name: str
    attributes: Attributes
    at: int


class Span(NamedTuple):
    """A span; ids in hexadecimal, times in milliseconds. `failed`: its status is an error, which
    `message` may describe. `scope`: of the library that has made it."""

    trace: str
    id: str
    parent: str
    name: str
    attributes: Attributes
    resource: Attributes
    began: int
    ended: int
    failed: bool
    message: str
    events: tuple[Link, ...]
    scope: str
