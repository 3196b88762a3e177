"""What single fields may hold, wherever they come from: a report, or the file of an export.

Numbers are not taken from strings, nor strings from numbers. Times and durations are milliseconds
unless their names say seconds.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, ValidationInfo

from tracker.domain.tasks import ENDED
from tracker.errors import Issue

MAX_STACK_TRACE_BYTES: Final = 10_240
MAX_DURATION_SECONDS: Final = 100 * 366 * 86_400

# The last day that every time zone can show, 9999-12-31T00:00Z.
MAX_TIME: Final = 253_402_214_400_000

# A task that is first seen by its end began that long before it.
EARLIEST_START: Final = -MAX_DURATION_SECONDS * 1000

# A duration that was measured rather than told may be longer than one that may be told: a task that
# began so early, and that fails today.
MAX_DURATION: Final = 3 * MAX_DURATION_SECONDS * 1000

# Clients in JavaScript count exactly up to 2^53. Whoever begins at this has as many numbers before
# it, so that no file can make a tracker come to its last number.
MAX_ID: Final = 2**52 - 1

MAX_ATTEMPT: Final = 2**31 - 1

_WITHOUT_NUL: Final = r"^[^\x00]+$"


def _at_most_10_kb(text: str) -> str:
    if len(text.encode()) > MAX_STACK_TRACE_BYTES:
        raise ValueError(
            f"at most {MAX_STACK_TRACE_BYTES} bytes of UTF-8 are taken; keep the head and the tail"
        )
    return text


Name = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=255, pattern=_WITHOUT_NUL)
]
Title = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=1000, pattern=_WITHOUT_NUL)
]
Text = Annotated[str, StringConstraints(strict=True)]
Message = Annotated[Text, Field(max_length=10_000)]
StackTrace = Annotated[Text, AfterValidator(_at_most_10_kb), Field(max_length=10_240)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=MAX_DURATION_SECONDS, allow_inf_nan=False)]
Progress = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
StatusName = Literal["pending", "running", "completed", "failed"]
EventType = Literal["task_started", "task_status_updated", "task_finished", "task_error"]

_Value = TypeVar("_Value")

_MISSING: Final = "This field is required"


def issues_of(error: ValidationError) -> list[Issue]:
    """Every problem that Pydantic found, in words for those who sent it."""
    return [
        Issue(
            ".".join(str(part) for part in problem["loc"]) or "body",
            _MISSING
            if problem["type"] == "missing"
            else problem["msg"].removeprefix("Value error, "),
        )
        for problem in error.errors(include_url=False, include_context=False)
    ]


def set_once_ended(value: _Value | None, info: ValidationInfo) -> _Value | None:
    """Validates a field that goes with `status`: set if the task has ended, else not."""
    status = info.data.get("status")
    if status is not None and (status in ENDED) != (value is not None):
        raise ValueError(f"a task that is {status} {'needs this' if value is None else 'has none'}")
    return value
