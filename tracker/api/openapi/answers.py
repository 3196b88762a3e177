"""The shapes of answers, described for the document; no answer is made from these models.

Names and fields are those of the API document and docs/contract.md; a test holds real answers
against them. A field that may be missing is never null, and one that may be null is never missing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from tracker.api.errors import STATUSES
from tracker.domain.fields import Status
from tracker.domain.limits import HISTORY
from tracker.domain.messages import Duration, Event, EventId, Percent, Timestamp

Date = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Count = Annotated[int, Field(ge=0)]


class _WebhookAnswer(BaseModel):
    task_id: str
    timestamp: Timestamp
    event_id: EventId


class StartAnswer(_WebhookAnswer):
    status: Literal["started"]
    message: Literal["Task started successfully"]


class StatusAnswer(_WebhookAnswer):
    status: Literal["updated"]
    message: Literal["Task status updated successfully"]


class FinishAnswer(_WebhookAnswer):
    status: Literal["completed"]
    message: Literal["Task completed successfully"]
    duration_seconds: Duration


class ErrorAnswer(_WebhookAnswer):
    status: Literal["error_recorded"]
    message: Literal["Error recorded successfully"]


class BatchResult(BaseModel):
    status: int = Field(description="What the report's own webhook would have answered.")
    task_id: str | None = None
    message: str | None = None
    timestamp: Timestamp | None = None
    event_id: EventId | None = None
    duration_seconds: Duration | None = None
    replayed: bool | None = Field(
        default=None, description="Its idempotency key was used before; nothing new was recorded."
    )
    error: dict[str, Any] | None = Field(default=None, description="As in other failures.")


class BatchAnswer(BaseModel):
    results: list[BatchResult]


class _Page(BaseModel):
    total: Count = Field(description="How many there are in all, not on this page.")
    limit: int
    offset: int


class Day(BaseModel):
    date: Date
    completed: Count
    failed: Count


class Project(BaseModel):
    id: int
    name: str
    created_at: Timestamp
    updated_at: Timestamp
    task_count: Count
    active_tasks: Count = Field(description="Pending and running.")
    completed_tasks: Count
    failed_tasks: Count
    activity: list[Day] = Field(
        default=[],
        description="The latest days (UTC) on which a task ended, if activity_days asks for them.",
    )


class ProjectsPage(_Page):
    projects: list[Project]


class Task(BaseModel):
    id: int = Field(description="Global; `task_id` is the agent's name for the task.")
    task_id: str
    title: str
    status: Status
    progress: Percent
    agent: str
    started_at: Timestamp = Field(description="When the present attempt began.")
    finished_at: Timestamp | None
    duration_seconds: Duration | None
    result: str | None
    metadata: dict[str, Any]
    attempt: int = Field(ge=1, description="How often the task was started.")
    message: str | None = Field(description="Of the newest status report that had one.")
    error_type: str | None
    error_message: str | None
    created_at: Timestamp
    updated_at: Timestamp


class Filters(BaseModel):
    """Those that were given, as they were given."""

    status: str | None = None
    agent: str | None = None
    date_from: str | None = None
    date_to: str | None = None
    q: str | None = None


class TasksPage(_Page):
    tasks: list[Task]
    filters: Filters


class TaskWithHistory(Task):
    project: str
    stack_trace: str | None
    events: list[Event] = Field(
        description=f"Oldest first; the newest {HISTORY} if there are more."
    )


class EventsPage(BaseModel):
    events: list[Event] = Field(description="Oldest first.")
    last_id: Count = Field(description="The `since` of the next page.")
    has_more: bool
    oldest_id: Count = Field(description="The smallest id that may still be in the log.")
    resync_required: bool = Field(
        description="`since` is from before what was pruned, or from another database: "
        "read the state afresh."
    )


class Overview(BaseModel):
    total_projects: Count
    total_tasks: Count
    active_tasks: Count = Field(description="Pending and running.")
    completed_tasks: Count
    failed_tasks: Count


class Performance(BaseModel):
    average_duration: Duration = Field(description="In seconds, over ended tasks; 0 without any.")
    success_rate: Percent = Field(description="Completed of all tasks; 0 without any.")
    finished_success_rate: Percent = Field(description="Completed of those that ended.")


class TotalPerformance(Performance):
    total_duration: Duration


class Agent(Performance):
    name: str
    task_count: Count


class Activity(BaseModel):
    project: str
    task_id: str
    status: Status
    timestamp: Timestamp


class Stats(BaseModel):
    overview: Overview
    performance: TotalPerformance
    agents: list[Agent] = Field(description="The hundred with the most tasks.")
    recent_activity: list[Activity] = Field(description="The ten newest reports, newest first.")


class TaskStats(BaseModel):
    total: Count
    completed: Count
    running: Count
    failed: Count
    pending: Count


class ProjectStats(BaseModel):
    project: str
    task_stats: TaskStats
    performance: Performance
    timeline: list[Day] = Field(description="Days (UTC) on which a task ended, oldest first.")


class WebSocketStats(BaseModel):
    total_connections: Count
    project_connections: dict[str, int] = Field(description="Projects with open WebSockets only.")
    uptime: Count = Field(description="Of the server, in whole seconds.")
    messages_sent: Count
    messages_received: Count


class TaskLine(BaseModel):
    """A task in brief: its texts are cut after 500 characters."""

    id: int
    project: str
    task_id: str
    title: str
    status: Status
    progress: Percent
    agent: str
    attempt: int = Field(ge=1)
    started_at: Timestamp
    finished_at: Timestamp | None
    duration_seconds: Duration | None
    message: str | None
    result: str | None
    error_type: str | None
    error_message: str | None
    updated_at: Timestamp


class Today(BaseModel):
    completed: Count
    failed: Count


class Now(BaseModel):
    today: Today = Field(description="What ended on this day (UTC).")
    active: list[TaskLine] = Field(description="Pending and running, the newest first.")
    ended: list[TaskLine] = Field(description="Those that ended last.")
    last_id: Count = Field(description="The newest event that all this knows of.")


class Found(BaseModel):
    tasks: list[TaskLine] = Field(description="The newest first.")


class Bar(BaseModel):
    up_to: Duration | None = Field(description="In seconds; null: longer than all others.")
    count: Count


class Durations(BaseModel):
    sample: Count = Field(description="Of how many of the tasks that ended last.")
    median: Duration
    histogram: list[Bar]


class AgentMedian(BaseModel):
    name: str
    sample: Count
    median_duration: Duration


class Trends(BaseModel):
    timeline: list[Day] = Field(description="Days (UTC) on which a task ended, oldest first.")
    durations: Durations
    agents: list[AgentMedian]


class Limits(BaseModel):
    """0 means no limit."""

    webhooks_per_minute: Count
    api_requests_per_minute: Count
    websockets_per_project: Count
    body_bytes: Count
    stack_trace_bytes: Count
    retain_days: Annotated[float, Field(ge=0)]
    retain_bytes: Count


class Info(BaseModel):
    version: str
    database: str
    api_key_file: str | None = Field(description="Null if the key was given in the settings.")
    durability: Literal["full", "normal"]
    limits: Limits
    last_id: Count = Field(description="The newest event.")
    timestamp: Timestamp


class SessionAnswer(BaseModel):
    expires_at: Timestamp


class Health(BaseModel):
    status: Literal["healthy"]
    timestamp: Timestamp
    version: str


class Proof(BaseModel):
    proof: str = Field(
        pattern=r"^[A-Za-z0-9_-]{43}$", description="HMAC-SHA256 in base64url without padding."
    )


class DatabaseCheck(BaseModel):
    status: Literal["connected"]
    database: Literal["sqlite"]
    sqlite_version: str
    size_bytes: Count
    wal_size_bytes: Count
    timestamp: Timestamp


class DatabaseFailure(BaseModel):
    status: Literal["error"]
    database: Literal["sqlite"]
    message: str
    timestamp: Timestamp


class HubCheck(BaseModel):
    status: Literal["connected"]
    redis_version: None = Field(description="There is no Redis here.")
    backend: Literal["in-process"]
    timestamp: Timestamp


class HubFailure(BaseModel):
    status: Literal["error"]
    redis_version: None
    backend: Literal["in-process"]
    timestamp: Timestamp


class Issue(BaseModel):
    field: str
    issue: str


class ErrorDetails(Issue):
    """The first problem, and the list of all."""

    errors: list[Issue]


class ErrorContent(BaseModel):
    code: Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATUSES)})]
    message: str = Field(description="What happened, and what to do next.")
    details: ErrorDetails


class Error(BaseModel):
    """Every failure is answered like this."""

    error: ErrorContent
    timestamp: Timestamp
