"""The models that validate query strings, and the source of `/openapi.json` for them.

Values arrive as strings; what is not named here is ignored.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from agent_task_tracker.proof import KEY_ID_PATTERN, NONCE_PATTERN, decode_nonce
from tracker.api.moments import parse_moment
from tracker.domain.fields import EventType, Name, Status
from tracker.domain.limits import (
    MAX_ACTIVITY_DAYS,
    MAX_DAYS,
    MAX_EVENTS_PAGE,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_SEARCH_TEXT,
)
from tracker.domain.queries import (
    EventFilter,
    ProjectQuery,
    ProjectSort,
    SessionQuery,
    TaskQuery,
    TaskSort,
)

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


# That a date is taken too stands in the description: generators of clients make a class of `anyOf`,
# which they then cannot put into a query string.
_DATE_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
_From = Annotated[int, BeforeValidator(parse_moment), _DATE_SCHEMA]
_To = Annotated[int, BeforeValidator(lambda t: parse_moment(t, end_of_day=True)), _DATE_SCHEMA]


class TasksQuery(Query):
    """`GET /api/projects/{project_name}/tasks`."""

    limit: _Limit = 20
    offset: _Offset = 0
    status: Status | None = None
    agent: str | None = None
    session: str | None = None
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
            session=self.session,
            date_from=self.date_from,
            date_to=self.date_to,
            q=(self.q or "").strip() or None,  # an emptied search box is no search
            sort_by=self.sort_by,
            descending=self.sort_order == "desc",
        )


class AllTasksQuery(TasksQuery):
    """`GET /api/tasks`."""

    project: str | None = None
    task_id: str | None = None

    def to_query(self) -> TaskQuery:
        """The store's form of it."""
        return super().to_query()._replace(project=self.project, task_id=self.task_id)


class SessionsQuery(Query):
    """`GET /api/sessions`."""

    project: str | None = None
    active: bool | None = Field(
        default=None, description="With a task that has not ended; or, with 0, without."
    )
    host: str | None = Field(
        default=None, description="On this machine, as an agent's hook has told it."
    )
    limit: _Limit = 50
    offset: _Offset = 0

    def to_query(self) -> SessionQuery:
        """The store's form of it."""
        return SessionQuery(self.project, self.active, self.host, self.limit, self.offset)


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
