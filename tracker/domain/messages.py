"""The content of events: in the log, over WebSocket and SSE, in a task's history, and in the file
of an export, whose events are validated against these models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator
from typing_extensions import TypeAliasType, TypedDict

from tracker.clock import iso
from tracker.domain import shortening
from tracker.domain.attention import Requests
from tracker.domain.fields import (
    AttentionText,
    CostUsd,
    Name,
    NameOrEmpty,
    StaleAfter,
    Status,
    Title,
    Tokens,
    set_once_ended,
)
from tracker.domain.limits import (
    EARLIEST_START,
    MAX_ATTEMPT,
    MAX_DURATION,
    MAX_MODELS,
    MAX_OPEN_REQUESTS,
    MAX_TIME,
)
from tracker.domain.rules import moment
from tracker.domain.tasks import (
    ENDED,
    EVENT_TYPES,
    EventType,
    Kind,
    Report,
    Task,
    seconds,
    trim_float,
)
from tracker.domain.usage import ModelTold, Source, as_content

_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_EARLIEST: Final = iso(EARLIEST_START)
_LATEST: Final = iso(MAX_TIME)


def _check_timestamp(text: str) -> str:
    if not _TIMESTAMP.fullmatch(text) or not _EARLIEST <= text <= _LATEST:
        raise ValueError("expected a time like 2024-01-15T10:00:00.000Z")
    datetime.fromisoformat(text)  # no 30th of February
    return text


Timestamp = Annotated[
    str,
    AfterValidator(_check_timestamp),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "description": "UTC, with milliseconds."}
    ),
]
Percent = Annotated[float, Field(ge=0, le=100)]
Duration = Annotated[float, Field(ge=0, description="In seconds.")]
ActorName = Annotated[Name, Field(description="The name of the key.")]
EventId = Annotated[int, Field(ge=1, description="The event's number in the log.")]


class RequestContent(TypedDict):
    """`OpenRequest` as JSON."""

    id: str
    text: str
    since: str


class OpenRequest(BaseModel):
    """What a task needs a person for."""

    model_config = ConfigDict(strict=True)

    id: NameOrEmpty = Field(description="Empty for the unnamed one.")
    text: AttentionText
    since: Timestamp


class ModelUsageTold(BaseModel):
    """What a report tells of one model."""

    model_config = ConfigDict(strict=True)

    model: Name | None = Field(default=None, description="If the report says which.")
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    cost_usd: CostUsd | None = None


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
    session: Name | None = Field(default=None, description="If the task belongs to one.")
    parent_task_id: Name | None = Field(default=None, description="If another task started it.")
    stale_after_seconds: StaleAfter | None = Field(
        default=None, description="If the task has said how long its silence is normal."
    )
    attention: AttentionText | None = Field(
        default=None, description="What the task needs a person for, if it does; the oldest."
    )
    attention_since: Timestamp | None = Field(default=None, description="With `attention`.")
    requests: Annotated[list[OpenRequest], Field(max_length=MAX_OPEN_REQUESTS)] | None = Field(
        default=None,
        description="With `attention`: all that is open, the oldest first; if long, the oldest.",
    )
    acknowledged_at: Timestamp | None = Field(
        default=None, description="If somebody has acknowledged what it needs a person for."
    )
    snoozed_until: Timestamp | None = Field(
        default=None, description="If somebody has put that off."
    )
    usage: Annotated[list[ModelUsageTold], Field(max_length=MAX_MODELS)] | None = Field(
        default=None, description="The report's own: what its agent has used in this attempt."
    )
    usage_added: Annotated[list[ModelUsageTold], Field(max_length=MAX_MODELS)] | None = Field(
        default=None, description="What telemetry has told: so much more was used."
    )
    occurred_at: Timestamp | None = Field(
        default=None, description="When it happened, if the report said so."
    )
    clock_adjusted: Literal[True] | None = Field(
        default=None,
        description="`occurred_at` was too long ago or in the future, and this is the nearest "
        "time that can be.",
    )
    late: Literal[True] | None = Field(
        default=None,
        description="The task had gone on or ended; the report only filled what was empty.",
    )

    truncated: Literal[True] | None = Field(
        default=None,
        description="Long texts and metadata are cut: all of it would be too large for a message. "
        "`/api/events/{event_id}` has it.",
    )

    _ended = field_validator("finished_at", "duration_seconds")(set_once_ended)


class StartedData(EventData):
    pass


class StatusData(EventData):
    message: str | None
    reported_status: Status | None = Field(default=None, description="What a late report said.")
    reported_progress: Percent | None = Field(default=None, description="Likewise.")


class FinishedData(EventData):
    result: str | None


class ErrorData(EventData):
    error_type: str
    error_message: str
    stack_trace: str | None = None


class SilentData(EventData):
    """The server's own: nothing was heard of a running task for long."""

    silent_since: Timestamp = Field(description="The time of its last report.")


class _ByPerson(EventData):
    """What somebody has done."""

    silent_since: Timestamp | None = Field(
        default=None, description="If it is silent: the time of its last report."
    )
    by: ActorName


class ActData(_ByPerson):
    """A person's: `acknowledged_at` and `snoozed_until` are missing once that is taken back."""


class AcknowledgedData(ActData):
    pass


class SnoozedData(ActData):
    pass


class TaskDeletedData(_ByPerson):
    """The task as it was last."""


class ProjectDeletedData(BaseModel):
    """A project is gone, with all tasks that it had when its deletion began."""

    model_config = ConfigDict(strict=True)

    project: Name
    by: ActorName
    remains: bool = Field(
        description="Newer reports have come for it meanwhile: it is there, with their tasks."
    )


# Of the events that tasks have.
DATA: Final[dict[EventType, type[EventData]]] = {
    EventType.STARTED: StartedData,
    EventType.STATUS_UPDATED: StatusData,
    EventType.FINISHED: FinishedData,
    EventType.ERROR: ErrorData,
    EventType.SILENT: SilentData,
    EventType.ACKNOWLEDGED: AcknowledgedData,
    EventType.SNOOZED: SnoozedData,
}


class _ReportFields(NamedTuple):
    """The fields that an event copies from its report: `required`, as null where the agent left
    them out; `optional`, where it did not."""

    required: tuple[str, ...]
    optional: tuple[str, ...]


def _report_fields(kind: Kind) -> _ReportFields:
    """Those of the event's model that are the report's and not the task's."""
    fields = DATA[EventType(EVENT_TYPES[kind])].model_fields
    of_task = EventData.model_fields.keys() - {"metadata"}  # `usage` has a form of its own
    names = [name for name in fields if name in Report._fields and name not in of_task]
    required = tuple(name for name in names if fields[name].is_required())
    return _ReportFields(required, tuple(name for name in names if name not in required))


_REPORT_FIELDS: Final[Mapping[Kind, _ReportFields]] = {kind: _report_fields(kind) for kind in Kind}


def event_data(report: Report, task: Task, now: int, *, late: bool) -> str:
    """The `data` of the event that `report` became, which arrived at `now`; `task` is the task
    after it.

    `status` and `progress` are the task's, so that no consumer shows a finished task as running;
    those of a late report are in `reported_…`.
    """
    data = _task_data(
        report.project, report.task_id, report.title or task.title, report.agent, task
    )
    required, optional = _REPORT_FIELDS[report.kind]
    for name in required:
        data[name] = getattr(report, name)
    for name in optional:
        value = getattr(report, name)
        if value is not None:
            data[name] = value
    if report.usage:
        name = "usage_added" if report.usage_of is Source.OTLP else "usage"
        data[name] = [_usage_content(told) for told in report.usage]
    if report.occurred_at is not None:
        data["occurred_at"] = iso(at := moment(report, now))
        if at != report.occurred_at:
            data["clock_adjusted"] = True
    if late:
        data["late"] = True
        if report.kind is Kind.STATUS:
            data["reported_status"] = report.status
            if report.progress is not None:
                data["reported_progress"] = trim_float(report.progress)
    return orjson.dumps(data).decode()


def open_requests(requests: Requests) -> list[RequestContent]:
    """Those that are open, as JSON."""
    return [
        {"id": request.id, "text": request.text, "since": iso(request.since)}
        for request in requests
        if request.text is not None
    ]


def _task_data(project: str, task_id: str, title: str, agent: str, task: Task) -> dict[str, Any]:
    """What every event says of its task. `title`, `agent`: the report's own."""
    data: dict[str, Any] = {
        "task_id": task_id,
        "title": title,
        "project": project,
        "agent": agent,
        "status": task.status,
        "progress": trim_float(task.progress),
        "attempt": task.attempt,
        "started_at": iso(task.started_at),
    }
    if task.status in ENDED and task.finished_at is not None:
        data["finished_at"] = iso(task.finished_at)
        data["duration_seconds"] = seconds(task.duration_ms)
    if task.session is not None:
        data["session"] = task.session
    if task.parent_task_id is not None:
        data["parent_task_id"] = task.parent_task_id
    if task.stale_after_ms is not None:
        data["stale_after_seconds"] = seconds(task.stale_after_ms)
    if task.requests and (opened := open_requests(shortening.requests_in_event(task.requests))):
        data["attention"] = opened[0]["text"]
        data["attention_since"] = opened[0]["since"]
        data["requests"] = opened
    if task.acknowledged_at is not None:
        data["acknowledged_at"] = iso(task.acknowledged_at)
    if task.snoozed_until is not None:
        data["snoozed_until"] = iso(task.snoozed_until)
    return data


def silent_data(project: str, task_id: str, task: Task) -> str:
    """The `data` of the event that tells of a task's silence."""
    data = _task_data(project, task_id, task.title, task.agent, task)
    if task.silent_since is not None:
        data["silent_since"] = iso(task.silent_since)
    return orjson.dumps(data).decode()


def act_data(project: str, task_id: str, task: Task, by: str) -> str:
    """The `data` of the event that tells what somebody did about a task, or that it was deleted."""
    data = _task_data(project, task_id, task.title, task.agent, task)
    if task.silent_since is not None:
        data["silent_since"] = iso(task.silent_since)
    data["by"] = by
    return orjson.dumps(data).decode()


def project_deleted_data(project: str, by: str, *, remains: bool) -> str:
    """The `data` of the event that tells of a project's deletion."""
    return orjson.dumps({"project": project, "by": by, "remains": remains}).decode()


def _usage_content(of: ModelTold) -> dict[str, Any]:
    named = {"model": of.model} if of.model else {}
    return {**named, **as_content(of.told._asdict())}


def event_type(report: Report) -> str:
    """The API document's name for the event that `report` becomes."""
    return EVENT_TYPES[report.kind]


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


class SilentEvent(_Event):
    type: Literal[EventType.SILENT]
    data: SilentData


class AcknowledgedEvent(_Event):
    type: Literal[EventType.ACKNOWLEDGED]
    data: AcknowledgedData


class SnoozedEvent(_Event):
    type: Literal[EventType.SNOOZED]
    data: SnoozedData


class TaskDeletedEvent(_Event):
    type: Literal[EventType.TASK_DELETED]
    data: TaskDeletedData


class ProjectDeletedEvent(_Event):
    type: Literal[EventType.PROJECT_DELETED]
    data: ProjectDeletedData


# A type of its own, so that `/openapi.json` has a name for it.
Event = TypeAliasType(
    "Event",
    Annotated[
        StartedEvent
        | StatusEvent
        | FinishedEvent
        | ErrorEvent
        | SilentEvent
        | AcknowledgedEvent
        | SnoozedEvent
        | TaskDeletedEvent
        | ProjectDeletedEvent,
        Field(discriminator="type"),
    ],
)
