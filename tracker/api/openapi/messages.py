"""What is told about a task by an event: in the log, over WebSocket and SSE, in its history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from tracker.model import Status

Timestamp = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "description": "UTC, with milliseconds."}
    ),
]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": list(Status)})]
Percent = Annotated[float, Field(ge=0, le=100)]
Duration = Annotated[float, Field(ge=0, description="In seconds.")]
EventId = Annotated[int, Field(ge=1, description="The event's number in the log.")]


class _EventData(BaseModel):
    """The task after the report."""

    task_id: str
    title: str
    project: str
    agent: str
    status: State
    progress: Percent
    attempt: int = Field(ge=1)
    started_at: Timestamp
    finished_at: Timestamp | None = Field(default=None, description="Once the task has ended.")
    duration_seconds: Duration | None = Field(
        default=None, description="In seconds; once the task has ended."
    )
    metadata: dict[str, Any] | None = Field(default=None, description="The report's own.")


class StartedData(_EventData):
    pass


class StatusData(_EventData):
    message: str | None
    late: Literal[True] | None = Field(
        default=None,
        description="The task had ended; it stays as it is, and the report is kept here.",
    )
    reported_status: State | None = Field(default=None, description="What a late report said.")
    reported_progress: Percent | None = Field(default=None, description="Likewise.")


class FinishedData(_EventData):
    result: str | None


class ErrorData(_EventData):
    error_type: str
    error_message: str
    stack_trace: str | None = None


class _Event(BaseModel):
    id: EventId
    timestamp: Timestamp


class StartedEvent(_Event):
    type: Literal["task_started"]
    data: StartedData


class StatusEvent(_Event):
    type: Literal["task_status_updated"]
    data: StatusData


class FinishedEvent(_Event):
    type: Literal["task_finished"]
    data: FinishedData


class ErrorEvent(_Event):
    type: Literal["task_error"]
    data: ErrorData


Event = Annotated[
    StartedEvent | StatusEvent | FinishedEvent | ErrorEvent, Field(discriminator="type")
]
