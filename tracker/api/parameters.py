"""The models that validate query strings, and the source of `/openapi.json` for them.

Values arrive as strings; what is not named here is ignored.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from agent_task_tracker.proof import KEY_ID_PATTERN, NONCE_PATTERN, decode_nonce
from tracker.api.moments import AGO_PATTERN, parse_moment, parse_since
from tracker.domain import tasks
from tracker.domain.fields import EventType, Name
from tracker.domain.limits import (
    MAX_ACTIVITY_DAYS,
    MAX_ATTEMPT,
    MAX_COST_USD,
    MAX_DAYS,
    MAX_EVENTS_PAGE,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_PROJECTS_ASKED,
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
from tracker.domain.usage import micros_of

_ID = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
_Offset = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
_EventsLimit = Annotated[int, Field(ge=1, le=MAX_EVENTS_PAGE)]
_Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
_Search = Annotated[str, Field(max_length=MAX_SEARCH_TEXT)]


class Query(BaseModel):
    """A query string."""

    model_config = ConfigDict(extra="ignore")

    keeps_blank: ClassVar[bool] = False
    """Whether a parameter without a value has a meaning."""

    repeatable: ClassVar[frozenset[str]] = frozenset()
    """The parameters that may be given several times; of others the last counts."""


class OneProjectQuery(Query):
    """`GET /api/projects/{project_name}`."""

    activity_days: Annotated[int, Field(ge=0, le=MAX_ACTIVITY_DAYS)] = Field(
        default=0, description="Tell of so many of each project's latest active days (UTC)."
    )


class ProjectsQuery(OneProjectQuery):
    """`GET /api/projects`."""

    limit: Limit = 50
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


def _list(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else [*filter(None, given)]


def _statuses(given: object) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else []
    found = tuple(dict.fromkeys(filter(None, (name.strip() for name in names))))
    if not found or not set(tasks.Status) >= set(found):
        raise ValueError(f"expected one of {', '.join(tasks.Status)}, or several with commas")
    return found


_STATUS: Final = "|".join(tasks.Status)
_Statuses = Annotated[
    tuple[str, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"type": "string", "pattern": f"^({_STATUS})(,({_STATUS}))*$"}),
]
# Repeated, they stand in an address as often as there are: which generators of clients know of one.
Names = Annotated[
    tuple[str, ...],
    Field(max_length=MAX_PROJECTS_ASKED),
    BeforeValidator(_list),
    WithJsonSchema({"type": "string"}),
]


def _is_since(given: str) -> str:
    parse_since(given)
    return given


SinceParameter = Annotated[
    str,
    AfterValidator(_is_since),
    WithJsonSchema({"type": "string", "pattern": AGO_PATTERN}),
]
_Text = Annotated[str, Field(max_length=MAX_SEARCH_TEXT)]
_Cost = Annotated[float, Field(ge=0, le=MAX_COST_USD, allow_inf_nan=False)]
_Attempt = Annotated[int, Field(ge=1, le=MAX_ATTEMPT)]


class TaskFilters(Query):
    """Which tasks: the same in all addresses that choose among them."""

    status: _Statuses | None = Field(default=None, description="One, or several with commas.")
    agent: _Text | None = Field(
        default=None,
        description="The agent of that name; where there is none, those whose name holds it, in "
        "any case.",
    )
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
    since: SinceParameter | None = Field(
        default=None,
        description="Under way then or later: so long ago (`30m`, `2h`, `3d`), or a time.",
    )
    model: _Text | None = Field(
        default=None, description="That used this model; the name is matched as an agent's is."
    )
    cost_min: _Cost | None = Field(
        default=None, description="That told of at least that cost, in US dollars."
    )
    attention: bool | None = Field(default=None, description="Whether it needs a person.")
    silent: bool | None = Field(default=None, description="Whether it is silent.")
    overdue: bool | None = Field(default=None, description="Whether it is overdue.")
    attempt: _Attempt | None = Field(default=None, description="Started so often.")
    attempt_min: _Attempt | None = Field(default=None, description="Started at least so often.")
    parent: _Text | None = Field(default=None, description="Started by the task with this task_id.")
    title: _Text | None = Field(default=None, description="Called exactly so.")

    def to_filters(self) -> TaskQuery:
        """The store's form of them, with nothing else."""
        cost = self.cost_min
        return TaskQuery(
            status=self.status or (),
            since=None if self.since is None else parse_since(self.since),
            model=self.model,
            cost_min=None if cost is None else micros_of(cost),
            attention=self.attention,
            silent=self.silent,
            overdue=self.overdue,
            attempt=self.attempt,
            attempt_min=self.attempt_min,
            parent=self.parent,
            title=self.title,
            agent=self.agent,
            session=self.session,
            date_from=self.date_from,
            date_to=self.date_to,
            q=(self.q or "").strip() or None,  # an emptied search box is no search
        )


class TasksQuery(TaskFilters):
    """`GET /api/projects/{project_name}/tasks`."""

    limit: Limit = 20
    offset: _Offset = 0
    sort_by: TaskSort = "started_at"
    sort_order: Literal["asc", "desc"] = "desc"
    figures: bool = Field(
        default=False, description="1: with figures over all that match, not only of the page."
    )

    def to_query(self) -> TaskQuery:
        """The store's form of it."""
        return self.to_filters()._replace(
            limit=self.limit,
            offset=self.offset,
            figures=self.figures,
            sort_by=self.sort_by,
            descending=self.sort_order == "desc",
        )


class OfProjects(TaskFilters):
    """Of the tasks of all projects."""

    repeatable = frozenset({"project"})

    project: Names = Field(default=(), description="Several: given as many times.")
    task_id: str | None = None

    def to_filters(self) -> TaskQuery:
        """The store's form of them, with nothing else."""
        return super().to_filters()._replace(projects=self.project, task_id=self.task_id)


class AllTasksQuery(OfProjects, TasksQuery):
    """`GET /api/tasks`."""


class SessionsQuery(Query):
    """`GET /api/sessions`."""

    project: str | None = None
    active: bool | None = Field(
        default=None, description="With a task that has not ended; or, with 0, without."
    )
    host: str | None = Field(
        default=None, description="On this machine, as an agent's hook has told it."
    )
    limit: Limit = 50
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


class SearchQuery(Query):
    """`GET /api/search`."""

    q: _Search = Field(default="", description="Words in title, task_id, agent, result or error.")
    limit: Limit = 20


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
