"""The models that validate requests, and the source of `/openapi.json`.

Field names and limits: API document and docs/contract.md, "Webhooks". Numbers are not taken from
strings, nor strings from numbers; unknown fields are ignored, so that newer clients work.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from agent_task_tracker.proof import KEY_ID_PATTERN, NONCE_PATTERN, decode_nonce
from tracker.domain import tasks
from tracker.domain.fields import (
    EventType,
    Message,
    Name,
    Progress,
    Seconds,
    StackTrace,
    Status,
    Text,
    TitleOrEmpty,
    issues_of,
)
from tracker.domain.limits import (
    MAX_ACTIVITY_DAYS,
    MAX_BATCH_REPORTS,
    MAX_DAYS,
    MAX_EVENTS_PAGE,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_SEARCH_TEXT,
    MAX_STACK_TRACE_BYTES,
)
from tracker.domain.queries import EventFilter, ProjectQuery, ProjectSort, TaskQuery, TaskSort
from tracker.domain.tasks import Kind, Report
from tracker.errors import ValidationFailed


class _ReportBody(BaseModel):
    """What all four webhooks need."""

    model_config = ConfigDict(extra="ignore")

    project: Name = Field(examples=["my-project"])
    task: TitleOrEmpty = Field(
        examples=["Разработка новой фичи"],
        description="The task's title; empty: as it was, and `task_id` for a task never seen.",
    )
    task_id: Name = Field(examples=["task-123"], description="Names the task within its project.")
    agent: Name = Field(examples=["claude-3-5-sonnet"])
    metadata: dict[str, Any] | None = Field(
        default=None,
        examples=[{"priority": "high"}],
        description="Top-level keys replace those of earlier reports; others stay.",
    )

    def specific_fields(self) -> dict[str, Any]:
        """The fields of `Report` that only this kind has."""
        return {}


class StartBody(_ReportBody):
    """`POST /webhook/start`."""


class StatusBody(_ReportBody):
    """`POST /webhook/status`."""

    status: Status | None = Field(
        default=None, examples=["running"], description="running if left out."
    )
    progress: Progress | None = Field(default=None, examples=[75], description="In percent.")
    message: Message | None = Field(
        default=None, examples=["Implementing core functionality, 75% complete"]
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        status = self.status or tasks.Status.RUNNING
        return {"status": status, "progress": self.progress, "message": self.message}


class FinishBody(_ReportBody):
    """`POST /webhook/finish`."""

    result: Text | None = Field(
        default=None, examples=["Feature successfully implemented with all tests passing"]
    )
    duration_seconds: Seconds | None = Field(
        default=None, examples=[3450], description="Measured from the task's start if left out."
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        seconds = self.duration_seconds
        duration = None if seconds is None else round(seconds * 1000)
        return {"result": self.result, "duration_ms": duration}


class ErrorBody(_ReportBody):
    """`POST /webhook/error`."""

    error_type: Text = Field(examples=["RuntimeError"])
    error_message: Text = Field(examples=["Failed to connect to database"])
    stack_trace: StackTrace | None = Field(
        default=None, description=f"At most {MAX_STACK_TRACE_BYTES} bytes of UTF-8."
    )

    def specific_fields(self) -> dict[str, Any]:
        """See `_ReportBody.specific_fields`."""
        return {
            "error_type": self.error_type,
            "error_message": self.error_message,
            "stack_trace": self.stack_trace,
        }


class BatchBody(BaseModel):
    """`POST /webhook/batch`."""

    model_config = ConfigDict(extra="ignore")

    reports: list[Any] = Field(
        max_length=MAX_BATCH_REPORTS,
        description=f"Up to {MAX_BATCH_REPORTS}, each with `kind` ({', '.join(Kind)}), the "
        "fields of that webhook, and perhaps an `idempotency_key`. Each is accepted or refused by "
        "itself, in order.",
    )


BODIES: dict[Kind, type[_ReportBody]] = {
    Kind.START: StartBody,
    Kind.STATUS: StatusBody,
    Kind.FINISH: FinishBody,
    Kind.ERROR: ErrorBody,
}


def to_report(kind: Kind, content: dict[str, Any]) -> Report:
    """Make a report of a webhook's JSON object. Raises ValidationFailed."""
    body = validate(BODIES[kind], content)
    common = (body.project, body.task_id, body.task, body.agent, body.metadata or None)
    return Report(kind, *common, **body.specific_fields())


# Query strings. Values arrive as strings; what is not named here is ignored.

_ID = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
_Offset = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
_Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
_EventsLimit = Annotated[int, Field(ge=1, le=MAX_EVENTS_PAGE)]
_Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
_Search = Annotated[str, Field(max_length=MAX_SEARCH_TEXT)]


class Query(BaseModel):
    """A query string."""

    model_config = ConfigDict(extra="ignore")

    keeps_blank: ClassVar[bool] = False
    """Whether a parameter without a value has a meaning."""


class OneProjectQuery(Query):
    """`GET /api/projects/{project_name}`."""

    activity_days: Annotated[int, Field(ge=0, le=MAX_ACTIVITY_DAYS)] = Field(
        default=0, description="Tell of so many of each project's latest active days (UTC)."
    )


class ProjectsQuery(OneProjectQuery):
    """`GET /api/projects`."""

    limit: _Limit = 50
    offset: _Offset = 0
    sort_by: ProjectSort = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"

    def to_query(self) -> ProjectQuery:
        """The store's form of it."""
        return ProjectQuery(
            self.limit,
            self.offset,
            self.sort_by,
            descending=self.sort_order == "desc",
            activity_days=self.activity_days,
        )


# ISO 8601's calendar dates; of its weeks, Python would silently take the Monday.
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")
_NOT_A_DATE = "expected a date or time like 2024-01-15 or 2024-01-15T10:00:00Z"


def _parse_moment(text: object, *, end_of_day: bool) -> int:
    """A date or a time as milliseconds; without an offset: UTC."""
    text = str(text).strip()
    day = _DATE.match(text)
    if day is None:
        raise ValueError(_NOT_A_DATE)
    try:
        if day.end() == len(text):
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            if end_of_day:
                moment += timedelta(days=1, milliseconds=-1)
        else:
            # A "+" that the client forgot to encode arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(_NOT_A_DATE) from None


# That a date is taken too stands in the description: generators of clients make a class of `anyOf`,
# which they then cannot put into a query string.
_DATE_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
_From = Annotated[int, BeforeValidator(lambda t: _parse_moment(t, end_of_day=False)), _DATE_SCHEMA]
_To = Annotated[int, BeforeValidator(lambda t: _parse_moment(t, end_of_day=True)), _DATE_SCHEMA]


class TasksQuery(Query):
    """`GET /api/projects/{project_name}/tasks`."""

    limit: _Limit = 20
    offset: _Offset = 0
    status: Status | None = None
    agent: str | None = None
    date_from: _From | None = Field(
        default=None, description="Started at or after; a date means its begin, UTC."
    )
    date_to: _To | None = Field(
        default=None, description="Ended at or before; a date means its whole day, UTC."
    )
    q: _Search | None = Field(
        default=None, description="Words in title, task_id, agent, result or error."
    )
    sort_by: TaskSort = "started_at"
    sort_order: Literal["asc", "desc"] = "desc"

    def to_query(self) -> TaskQuery:
        """The store's form of it."""
        return TaskQuery(
            limit=self.limit,
            offset=self.offset,
            status=self.status,
            agent=self.agent,
            date_from=self.date_from,
            date_to=self.date_to,
            q=(self.q or "").strip() or None,  # an emptied search box is no search
            sort_by=self.sort_by,
            descending=self.sort_order == "desc",
        )


class EventsQuery(Query):
    """`GET /api/events`."""

    since: _ID = Field(default=0, description="Events with a greater id.")
    project: str | None = None
    task_id: str | None = None
    type: EventType | None = None
    limit: _EventsLimit = 100
    newest: _EventsLimit | None = Field(
        default=None, description="So many of the newest instead, whatever `since` and `limit` say."
    )
    before: _ID = Field(default=MAX_INTEGER, description="With `newest`: events with a smaller id.")

    def to_filter(self) -> EventFilter:
        """The store's form of it."""
        return EventFilter(self.project, self.task_id, self.type)


class StreamQuery(Query):
    """`/ws`, and `GET /api/events/stream`."""

    since: _ID | None = Field(
        default=None, description="Replay everything after this id; left out: from now on."
    )
    project: Name | None = Field(default=None, description="Left out: all projects.")


class EventStreamQuery(StreamQuery):
    """`GET /api/events/stream`."""

    named: bool = Field(
        default=True,
        description="0: without `event`, so that all of it reaches an EventSource's `onmessage`.",
    )


class SignOutQuery(Query):
    """`DELETE /api/session`."""

    keeps_blank = True

    all: Annotated[bool, BeforeValidator(lambda given: given or True)] = Field(
        default=False, description="End every session of this server; `?all` alone says so too."
    )


class ProjectStatsQuery(Query):
    """`GET /api/stats/projects/{project_name}`."""

    days: _Days = Field(default=30, description="How many of the days on which a task ended.")


class NowQuery(Query):
    """`GET /api/now`."""

    active: _Limit = Field(default=MAX_PAGE, description="At most so many that have not ended.")
    ended: _Limit = Field(default=50, description="At most so many that have.")


class SearchQuery(Query):
    """`GET /api/search`."""

    q: _Search = Field(default="", description="Words in title, task_id, agent, result or error.")
    limit: _Limit = 20


class TrendsQuery(Query):
    """`GET /api/stats/trends`."""

    days: _Days = Field(default=30, description="How many of the days on which a task ended.")


class ProofQuery(Query):
    """`GET /proof`."""

    key_id: Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)] = Field(
        examples=["a46f9b44a27a4c3c"], description="Which key; the client has it too."
    )
    nonce: Annotated[
        bytes,
        BeforeValidator(decode_nonce),
        WithJsonSchema({"type": "string", "pattern": NONCE_PATTERN}),
    ] = Field(
        examples=["pB3T8wVNR1Yw0kD9mJxq3A"],
        description="16 to 64 random bytes in base64url, never used before.",
    )


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], content: dict[str, Any]) -> M:
    """Validate `content`. Raises ValidationFailed, which lists every problem."""
    try:
        return cast("M", model.__pydantic_validator__.validate_python(content))
    except ValidationError as error:
        raise ValidationFailed("Invalid data format", issues_of(error)) from None
