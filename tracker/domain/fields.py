"""The types of single fields, in reports and in the file of an export.

Numbers are not taken from strings, nor strings from numbers.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)

from tracker.domain import tasks
from tracker.domain.limits import (
    MAX_ATTENTION,
    MAX_COST_USD,
    MAX_DURATION_SECONDS,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_STACK_TRACE_BYTES,
    MAX_STALE_AFTER_SECONDS,
    MAX_TITLE,
    MAX_TOKENS,
)
from tracker.domain.tasks import ENDED
from tracker.errors import Issue

_WITHOUT_NUL: Final = r"^[^\x00]*$"


def _at_most_10_kb(text: str) -> str:
    if len(text.encode()) > MAX_STACK_TRACE_BYTES:
        raise ValueError(
            f"at most {MAX_STACK_TRACE_BYTES} bytes of UTF-8 are taken; keep the head and the tail"
        )
    return text


def _whole(number: object) -> object:
    """5.0 is 5, as in JSON Schema."""
    return int(number) if type(number) is float and number.is_integer() else number


Name = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_NAME, pattern=_WITHOUT_NUL)
]
Title = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_TITLE, pattern=_WITHOUT_NUL)
]
TitleOrEmpty = Annotated[
    str, StringConstraints(strict=True, max_length=MAX_TITLE, pattern=_WITHOUT_NUL)
]
NameOrEmpty = Annotated[
    str, StringConstraints(strict=True, max_length=MAX_NAME, pattern=_WITHOUT_NUL)
]
Text = Annotated[str, StringConstraints(strict=True)]
Message = Annotated[Text, Field(max_length=MAX_MESSAGE)]
StackTrace = Annotated[
    Text, AfterValidator(_at_most_10_kb), Field(max_length=MAX_STACK_TRACE_BYTES)
]
Seconds = Annotated[float, Field(strict=True, ge=0, le=MAX_DURATION_SECONDS, allow_inf_nan=False)]
AttentionText = Annotated[Text, Field(max_length=MAX_ATTENTION)]
StaleAfter = Annotated[
    float, Field(strict=True, gt=0, le=MAX_STALE_AFTER_SECONDS, allow_inf_nan=False)
]
Tokens = Annotated[int, Field(strict=True, ge=0, le=MAX_TOKENS), BeforeValidator(_whole)]
CostUsd = Annotated[float, Field(strict=True, ge=0, le=MAX_COST_USD, allow_inf_nan=False)]
Progress = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]

# Strict would mean: not from text.
Status = Annotated[tasks.Status, Field(strict=False)]
EventType = Annotated[tasks.EventType, Field(strict=False)]

_Value = TypeVar("_Value")

_MISSING: Final = "This field is required"


def issues_of(error: ValidationError) -> list[Issue]:
    """Every problem that Pydantic found, worded for the client."""
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
    """Validator of a field that depends on `status`: set if the task has ended, else not. Raises
    ValueError."""
    status = info.data.get("status")
    if status is not None and (status in ENDED) != (value is not None):
        raise ValueError(f"a task that is {status} {'needs this' if value is None else 'has none'}")
    return value
