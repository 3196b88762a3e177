"""The shapes of answers: what `tracker.api.responses` makes, and `/openapi.json` describes.

Names and fields are those of the API document and docs/contract.md; a test holds real answers
against them. A field that may be missing is never null, and one that may be null is never missing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

import orjson
from pydantic import Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from tracker.api.errors import STATUSES
from tracker.domain import fields, messages
from tracker.domain.key_answers import Access
from tracker.domain.limits import MAX_HISTORY, MAX_LISTED_MODELS, MAX_MODELS
from tracker.domain.messages import Duration, EventId, Percent, Timestamp


class _DocumentedAs:
    """Describes a value as another type: the one that it has in JSON."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(self._of)


Status = Annotated[str, _DocumentedAs(fields.Status)]
Event = Annotated[orjson.Fragment, _DocumentedAs(messages.Event)]
Metadata = Annotated[orjson.Fragment, _DocumentedAs(dict[str, Any])]
OpenRequest = Annotated[messages.RequestContent, _DocumentedAs(messages.OpenRequest)]
Date = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Count = Annotated[int, Field(ge=0)]
SourceName = Literal["report", "otlp", "hook"]
Cost = Annotated[float, Field(ge=0, description="In US dollars.")]


class Issue(TypedDict):
    field: str
    issue: str


class ErrorDetails(Issue):
    """The first problem, and the list of all."""

    errors: list[Issue]


class ErrorContent(TypedDict):
    code: Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATUSES)})]
    message: Annotated[str, Field(description="What happened, and what to do next.")]
    details: ErrorDetails


class ErrorResponse(TypedDict):
    """Every failure is answered like this."""

    error: ErrorContent
    timestamp: Timestamp
    code: NotRequired[Annotated[int, Field(description="Of telemetry: a google.rpc.Code.")]]
    message: NotRequired[Annotated[str, Field(description="Of telemetry, for a Status has it.")]]


Late = Annotated[
    Literal[True],
    Field(description="The task had ended: it stays as it is, the status joins its history."),
]


class _WebhookAnswer(TypedDict):
    task_id: str
    timestamp: Timestamp
    event_id: EventId


class StartAnswer(_WebhookAnswer):
    status: Literal["started"]
    message: Literal["Task started successfully"]


class StatusAnswer(_WebhookAnswer):
    status: Literal["updated"]
    message: Literal["Task status updated successfully"]
    late: NotRequired[Late]


class FinishAnswer(_WebhookAnswer):
    status: Literal["completed"]
    message: Literal["Task completed successfully"]
    duration_seconds: Duration


class ErrorAnswer(_WebhookAnswer):
    status: Literal["error_recorded"]
    message: Literal["Error recorded successfully"]


class BatchResult(TypedDict):
    status: Annotated[int, Field(description="What the report's own webhook would have answered.")]
    task_id: NotRequired[str]
    message: NotRequired[str]
    timestamp: NotRequired[Timestamp]
    event_id: NotRequired[EventId]
    duration_seconds: NotRequired[Duration]
    late: NotRequired[Late]
    replayed: NotRequired[
        Annotated[
            bool,
            Field(description="Its idempotency key was used before; nothing new was recorded."),
        ]
    ]
    error: NotRequired[ErrorContent]


class BatchAnswer(TypedDict):
    results: list[BatchResult]


class _Page(TypedDict):
    total: Annotated[Count, Field(description="How many there are in all, not on this page.")]
    limit: int
    offset: int


class Day(TypedDict):
    date: Date
    completed: Count
    failed: Count


class Project(TypedDict):
    id: int
    name: str
    created_at: Timestamp
    updated_at: Timestamp
    task_count: Count
    active_tasks: Annotated[Count, Field(description="Pending and running.")]
    completed_tasks: Count
    failed_tasks: Count
    activity: NotRequired[
        Annotated[
            list[Day],
            Field(
                description="The latest days (UTC) on which a task ended, if activity_days asks "
                "for them."
            ),
        ]
    ]


class ProjectsPage(_Page):
    projects: list[Project]


class Amounts(TypedDict):
    """What was used; what was not told counts as 0."""

    input_tokens: Annotated[Count, Field(description="Without those read from a cache.")]
    output_tokens: Count
    cache_read_tokens: Count
    cache_write_tokens: Count
    cost_usd: Annotated[Cost, Field(description="As it was told.")]
    estimated_cost_usd: Annotated[
        Cost,
        Field(description="By `--prices`, of what nobody told a cost of; not in `cost_usd`."),
    ]


class ModelAmounts(Amounts):
    model: Annotated[str | None, Field(description="Null: not told.")]


class ModelUsage(ModelAmounts):
    source: Annotated[SourceName, Field(description="Who told it.")]


class Usage(Amounts):
    """Over all of a task's attempts."""

    models: Annotated[
        list[ModelUsage],
        Field(
            description="Those with the highest cost first; at most "
            f"{MAX_MODELS}, on a page of tasks {MAX_LISTED_MODELS}."
        ),
    ]


class UsageSums(Amounts):
    models: Annotated[
        list[ModelAmounts],
        Field(description=f"Those with the highest cost first; at most {MAX_MODELS}."),
    ]


class DayUsage(Amounts):
    date: Date


class UsageByDay(UsageSums):
    days: Annotated[
        list[DayUsage],
        Field(description="Days (UTC) on which usage was told, oldest first: what each added."),
    ]


class Attention(TypedDict):
    """What somebody may have to see to."""

    attention: Annotated[
        str | None, Field(description="What it needs a person for; of several, the oldest.")
    ]
    attention_since: Timestamp | None
    requests: Annotated[
        list[OpenRequest], Field(description="All that it needs a person for, the oldest first.")
    ]
    silent_since: Annotated[
        Timestamp | None,
        Field(description="The time of its last report, if it is running and that is long ago."),
    ]
    acknowledged_at: Annotated[
        Timestamp | None,
        Field(description="When somebody acknowledged it; null once there is something new."),
    ]
    snoozed_until: Annotated[
        Timestamp | None,
        Field(description="Until when somebody has put it off; null once there is something new."),
    ]
    overdue: Annotated[
        bool,
        Field(description="It runs for longer than the seconds in metadata.estimated_duration."),
    ]
    blocked: Annotated[
        bool,
        Field(description="It is pending, and a task in metadata.dependencies is not completed."),
    ]


class Task(Attention):
    id: Annotated[int, Field(description="Global; `task_id` is the agent's name for the task.")]
    task_id: str
    title: str
    status: Status
    progress: Percent
    agent: str
    started_at: Annotated[Timestamp, Field(description="When the present attempt began.")]
    finished_at: Timestamp | None
    duration_seconds: Duration | None
    result: str | None
    metadata: Metadata
    attempt: Annotated[int, Field(ge=1, description="How often the task was started.")]
    message: Annotated[str | None, Field(description="Of the newest status report that had one.")]
    error_type: str | None
    error_message: str | None
    created_at: Timestamp
    updated_at: Timestamp
    session: Annotated[str | None, Field(description="The conversation that it belongs to.")]
    parent_task_id: Annotated[str | None, Field(description="The task that started this one.")]
    stale_after_seconds: Annotated[
        float | None, Field(description="How long its silence is normal, if it has said so.")
    ]
    metadata_truncated: Annotated[
        bool, Field(description="Metadata of some report did not fit; the history has it.")
    ]
    truncated: Annotated[
        bool, Field(description="Long texts and metadata are cut; the task by itself has them.")
    ]
    reported_at: Annotated[Timestamp, Field(description="The time of its newest report.")]
    usage: Annotated[Usage | None, Field(description="Its own; null: none was told.")]


class Filters(TypedDict):
    """Those that were given, as they were given."""

    status: NotRequired[str]
    agent: NotRequired[str]
    session: NotRequired[str]
    date_from: NotRequired[str]
    date_to: NotRequired[str]
    q: NotRequired[str]
    since: NotRequired[str]
    model: NotRequired[str]
    cost_min: NotRequired[str]
    attention: NotRequired[str]
    silent: NotRequired[str]
    overdue: NotRequired[str]
    attempt: NotRequired[str]
    attempt_min: NotRequired[str]
    parent: NotRequired[str]
    title: NotRequired[str]


class TaskStats(TypedDict):
    total: Count
    completed: Count
    running: Count
    failed: Count
    pending: Count


class Performance(TypedDict):
    average_duration: Annotated[
        Duration, Field(description="In seconds, over ended tasks; 0 without any.")
    ]
    success_rate: Annotated[Percent, Field(description="Completed of all tasks; 0 without any.")]
    finished_success_rate: Annotated[Percent, Field(description="Completed of those that ended.")]


class MedianPerformance(Performance):
    median_duration: Annotated[
        Duration, Field(description="Over the ended tasks of the sample; 0 without any.")
    ]


class TaskFigures(TypedDict):
    """Of all tasks that match the filters, not only of the page."""

    complete: Annotated[
        bool,
        Field(
            description="Whether all are counted and summed up; else the newest alone, as many as "
            "`sample` says."
        ),
    ]
    sample: Annotated[Count, Field(description="How many tasks were looked at, the newest.")]
    task_stats: TaskStats
    performance: MedianPerformance
    usage: Amounts


_Figures = Annotated[TaskFigures, Field(description="If `figures` asks for them.")]


class TasksPage(_Page):
    tasks: list[Task]
    filters: Filters
    figures: NotRequired[_Figures]


class TaskOfProject(Task):
    project: str


class AllFilters(Filters):
    project: NotRequired[str]
    projects: NotRequired[Annotated[list[str], Field(description="If there were several.")]]
    task_id: NotRequired[str]


class AllTasksPage(_Page):
    tasks: list[TaskOfProject]
    filters: AllFilters
    figures: NotRequired[_Figures]


class TaskWithHistory(TaskOfProject):
    stack_trace: str | None
    usage_total: Annotated[
        Amounts | None,
        Field(description="With that of the tasks that it started, and of those they started."),
    ]
    events: Annotated[
        list[Event], Field(description=f"Oldest first; the newest {MAX_HISTORY} if there are more.")
    ]


class EventsPage(TypedDict):
    events: Annotated[list[Event], Field(description="Oldest first.")]
    last_id: Annotated[Count, Field(description="The `since` of the next page.")]
    has_more: bool
    oldest_id: Annotated[Count, Field(description="The smallest id that may still be in the log.")]
    resync_required: Annotated[
        bool,
        Field(
            description="`since` is from before what was pruned, or from another database: "
            "read the state afresh."
        ),
    ]


class Overview(TypedDict):
    total_projects: Count
    total_tasks: Count
    active_tasks: Annotated[Count, Field(description="Pending and running.")]
    completed_tasks: Count
    failed_tasks: Count


class TotalPerformance(Performance):
    total_duration: Duration


class Agent(Performance):
    name: str
    task_count: Count
    usage: Annotated[Amounts, Field(description="What it has told of.")]


class Activity(TypedDict):
    project: str
    task_id: str
    status: Status
    timestamp: Timestamp


class Stats(TypedDict):
    overview: Overview
    performance: TotalPerformance
    agents: Annotated[list[Agent], Field(description="The hundred with the most tasks.")]
    recent_activity: Annotated[
        list[Activity], Field(description="The ten newest reports, newest first.")
    ]
    usage: UsageSums


class ProjectStats(TypedDict):
    project: str
    task_stats: TaskStats
    performance: Performance
    timeline: Annotated[
        list[Day], Field(description="Days (UTC) on which a task ended, oldest first.")
    ]
    usage: UsageByDay


class WebSocketStats(TypedDict):
    total_connections: Count
    project_connections: Annotated[
        dict[str, int], Field(description="Projects with open WebSockets only.")
    ]
    uptime: Annotated[Count, Field(description="Of the server, in whole seconds.")]
    messages_sent: Count
    messages_received: Count


class TaskLine(Attention):
    """A task in brief: its texts are cut after 500 characters; of long requests there is the
    oldest."""

    id: int
    project: str
    task_id: str
    title: str
    status: Status
    progress: Percent
    agent: str
    attempt: Annotated[int, Field(ge=1)]
    started_at: Timestamp
    finished_at: Timestamp | None
    duration_seconds: Duration | None
    message: str | None
    result: str | None
    error_type: str | None
    error_message: str | None
    updated_at: Timestamp
    session: str | None
    parent_task_id: str | None


class AgentSession(TypedDict):
    """A conversation or run that tasks belong to."""

    project: str
    session: str
    agent: Annotated[
        str | None,
        Field(description="That is plugged in, else whose task of it is the oldest."),
    ]
    host: Annotated[str | None, Field(description="The machine that an agent's hook has told.")]
    first_report_at: Timestamp
    last_report_at: Timestamp
    state: Annotated[
        Literal["working", "waiting", "your_turn", "ended"],
        Field(
            description="`waiting`: a task needs a person; `working`: one has not ended; "
            "`your_turn`: an agent that is plugged in waits for its user's next prompt."
        ),
    ]
    tasks: TaskStats
    usage: Annotated[Amounts, Field(description="Of its tasks.")]
    active: Annotated[
        list[TaskLine], Field(description="The newest five of its tasks that have not ended.")
    ]
    last_task: Annotated[
        TaskLine | None,
        Field(
            description="Its newest. Where it is its user's turn, whoever has seen that "
            "acknowledges this task, or snoozes it."
        ),
    ]


class Exported(TypedDict):
    """OTLP's answer to an export."""

    partialSuccess: NotRequired[
        Annotated[dict[str, str], Field(description="How many records were refused, and why.")]
    ]


class HookAnswer(TypedDict):
    """The answer to an agent's payload."""

    status: Literal["recorded"]
    agent: str
    session: str
    event_ids: Annotated[
        list[int],
        Field(description="Of what it came to: nothing for most, or if it was recorded before."),
    ]
    timestamp: Timestamp


class PluggedInAgent(TypedDict):
    """An agent whose hook has sent something."""

    agent: str
    sessions: int
    payloads: int
    last_at: Timestamp
    unknown: Annotated[
        dict[str, int],
        Field(description="Events of which the tracker knows nothing, and how often each came."),
    ]


class PluggedInAgents(TypedDict):
    """`/api/agents`."""

    agents: list[PluggedInAgent]


class SessionsPage(_Page):
    sessions: Annotated[
        list[AgentSession], Field(description="Those that reported last come first.")
    ]


class Today(TypedDict):
    completed: Count
    failed: Count


class Now(TypedDict):
    today: Annotated[Today, Field(description="What ended on this day, by `tz`.")]
    active: Annotated[list[TaskLine], Field(description="Pending and running, the newest first.")]
    ended: Annotated[list[TaskLine], Field(description="Those that ended last.")]
    last_id: Annotated[Count, Field(description="The newest event that all this knows of.")]


class Found(TypedDict):
    tasks: Annotated[list[TaskLine], Field(description="The newest first.")]


class Bar(TypedDict):
    up_to: Annotated[
        Duration | None, Field(description="In seconds; null: longer than all others.")
    ]
    count: Count


class Durations(TypedDict):
    sample: Annotated[Count, Field(description="Of how many of the tasks that ended last.")]
    median: Duration
    histogram: list[Bar]


class AgentMedian(TypedDict):
    name: str
    sample: Count
    median_duration: Duration


class Trends(TypedDict):
    timeline: Annotated[
        list[Day], Field(description="Days (UTC) on which a task ended, oldest first.")
    ]
    durations: Durations
    agents: list[AgentMedian]


class Limits(TypedDict):
    """0 means no limit."""

    webhooks_per_minute: Count
    api_requests_per_minute: Count
    agents_payloads_per_minute: Count
    websockets_per_project: Count
    body_bytes: Count
    stack_trace_bytes: Count
    retain_days: Annotated[float, Field(ge=0)]
    retain_bytes: Count
    retain_audit_days: Annotated[float, Field(ge=0)]
    keep_messages: Annotated[float, Field(ge=0)]


class Info(TypedDict):
    version: str
    database: Annotated[str | None, Field(description="Null unless the key's role is admin.")]
    api_key_file: Annotated[
        str | None,
        Field(description="Null if the key was given in the settings, or for other roles."),
    ]
    exposed: Annotated[
        bool, Field(description="Whether other machines can reach the server without TLS.")
    ]
    durability: Literal["full", "normal"]
    limits: Limits
    last_id: Annotated[Count, Field(description="The newest event.")]
    timestamp: Timestamp
    access: Access


class SessionAnswer(TypedDict):
    expires_at: Timestamp


class Health(TypedDict):
    status: Literal["healthy"]
    timestamp: Timestamp
    version: str


class Alive(TypedDict):
    status: Literal["ok"]


class Ready(TypedDict):
    status: Literal["ready"]


class NotReady(TypedDict):
    status: Literal["unavailable"]


class Proof(TypedDict):
    proof: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{43}$", description="HMAC-SHA256 in base64url without padding."
        ),
    ]


class DatabaseCheck(TypedDict):
    status: Literal["connected"]
    database: Literal["sqlite"]
    sqlite_version: str
    size_bytes: Count
    wal_size_bytes: Count
    timestamp: Timestamp


class DatabaseFailure(TypedDict):
    status: Literal["error"]
    database: Literal["sqlite"]
    message: str
    timestamp: Timestamp


_NoVersion = Annotated[
    None,
    # A string where there is a Redis; and generators of clients have no type for what is ever null.
    WithJsonSchema(
        {"type": ["string", "null"], "description": "Always null: there is no Redis here."}
    ),
]


class HubCheck(TypedDict):
    status: Literal["connected"]
    redis_version: _NoVersion
    backend: Literal["in-process"]
    timestamp: Timestamp


class HubFailure(TypedDict):
    status: Literal["error"]
    redis_version: _NoVersion
    backend: Literal["in-process"]
    timestamp: Timestamp
