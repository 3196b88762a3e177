"""What is told about a task by an event: in the log, over WebSocket and SSE, in its history, and in
the file of an export, whose events have to be what is described here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from tracker.clock import iso
from tracker.domain.fields import Name, Status, Title, set_once_ended
from tracker.domain.limits import EARLIEST_START, MAX_ATTEMPT, MAX_DURATION, MAX_TIME
from tracker.domain.tasks import EventType

_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_EARLIEST: Final = iso(EARLIEST_START)
_LATEST: Final = iso(MAX_TIME)


def _moment(text: str) -> str:
    if not _TIMESTAMP.fullmatch(text) or not _EARLIEST <= text <= _LATEST:
        raise ValueError("expected a time like 2024-01-15T10:00:00.000Z")
    datetime.fromisoformat(text)  # no 30th of February
    return text


Timestamp = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "description": "UTC, with milliseconds."}
    ),
]
Percent = Annotated[float, Field(ge=0, le=100)]
Duration = Annotated[float, Field(ge=0, description="In seconds.")]
EventId = Annotated[int, Field(ge=1, description="The event's number in the log.")]


class EventData(BaseModel):
    """The task after the report."""

    model_config = ConfigDict(strict=True)

    task_id: Name
    title: Title
    project: Name
    agent: Name
    status: Status
    progress: Percent
    attempt: int = Field(ge=1, le=MAX_ATTEMPT)
    started_at: Timestamp
    finished_at: Timestamp | None = Field(
        default=None, validate_default=True, description="Once the task has ended."
    )
    duration_seconds: Duration | None = Field(
        default=None,
        validate_default=True,
        le=MAX_DURATION / 1000,
        description="In seconds; once the task has ended.",
    )
    metadata: dict[str, Any] | None = Field(default=None, description="The report's own.")

    _ended = field_validator("finished_at", "duration_seconds")(set_once_ended)


class StartedData(EventData):
    pass


class StatusData(EventData):
    message: str | None
    late: Literal[True] | None = Field(
        default=None,
        description="The task had ended; it stays as it is, and the report is kept here.",
    )
    reported_status: Status | None = Field(default=None, description="What a late report said.")
    reported_progress: Percent | None = Field(default=None, description="Likewise.")


class FinishedData(EventData):
    result: str | None


class ErrorData(EventData):
    error_type: str
    error_message: str
    stack_trace: str | None = None


DATA: Final[dict[EventType, type[EventData]]] = {
    EventType.STARTED: StartedData,
    EventType.STATUS_UPDATED: StatusData,
    EventType.FINISHED: FinishedData,
    EventType.ERROR: ErrorData,
}


class _Event(BaseModel):
    id: EventId
    timestamp: Timestamp


class StartedEvent(_Event):
    type: Literal[EventType.STARTED]
    data: StartedData


class StatusEvent(_Event):
    type: Literal[EventType.STATUS_UPDATED]
    data: StatusData


class FinishedEvent(_Event):
    type: Literal[EventType.FINISHED]
    data: FinishedData


class ErrorEvent(_Event):
    type: Literal[EventType.ERROR]
    data: ErrorData


Event = Annotated[
    StartedEvent | StatusEvent | FinishedEvent | ErrorEvent, Field(discriminator="type")
]
