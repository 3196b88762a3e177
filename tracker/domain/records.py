"""What a store returns. Times are milliseconds since the epoch, durations milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracker.domain.durations import Durations
from tracker.domain.events import Event
from tracker.domain.tasks import TaskSummary
from tracker.domain.usage import NO_USAGE, NOTHING, Amounts, Usage


class Recorded(NamedTuple):
    """The result of recording a report.

    `created`: it made the task. `duration_ms`: the task's, once it has ended. `event` is None if
    its idempotency key had been used: then this is the earlier result.
    """

    event_id: int
    at: int
    created: bool
    duration_ms: int | None
    event: Event | None

    @property
    def events(self) -> tuple[Event, ...]:
        """What it has added to the log."""
        return () if self.event is None else (self.event,)

    @property
    def outcome(self) -> tuple[int, int, bool, int | None]:
        """What is remembered with its idempotency key."""
        return self.event_id, self.at, self.created, self.duration_ms


class Bounds(NamedTuple):
    """The log's ends: `oldest` is the smallest id that may still be there, `last` the newest id
    ever given, `pruned` the newest id that pruning has removed. `gaps`: the ranges of ids, first
    and last, that restores have skipped."""

    oldest: int
    last: int
    pruned: int
    gaps: tuple[tuple[int, int], ...] = ()

    def covers(self, cursor: int) -> bool:
        """Whether the log still has every event after `cursor`: none was pruned, and the cursor is
        not from another database, or from one that a restore has replaced."""
        return self.pruned <= cursor <= self.last and not any(
            first <= cursor <= last for first, last in self.gaps
        )


class Page(NamedTuple):
    """A page of the log, oldest first, and the log's bounds at that moment.

    `cursor` is where the next page begins; at `bounds.last` there is no more.
    """

    events: Sequence[Event]
    cursor: int
    bounds: Bounds


class DayCount(NamedTuple):
    """Tasks that ended on one day; `day` is counted from the Unix epoch, in UTC."""

    day: int
    completed: int
    failed: int


class Ends(NamedTuple):
    """How many tasks ended, by how."""

    completed: int
    failed: int


class StatusCounts(NamedTuple):
    """How many tasks are in each state."""

    pending: int
    running: int
    completed: int
    failed: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    @property
    def active(self) -> int:
        """Those that have not ended."""
        return self.pending + self.running


class ProjectSummary(NamedTuple):
    """A project in the list. `activity`: its latest days on which a task ended, oldest first; None
    if not asked for."""

    id: int
    name: str
    created_at: int
    updated_at: int
    tasks: StatusCounts
    activity: Sequence[DayCount] | None = None


class ProjectPage(NamedTuple):
    """A page of projects, and how many there are in all."""

    projects: Sequence[ProjectSummary]
    total: int


class TaskFigures(NamedTuple):
    """Figures of the tasks that match a query. `duration_ms`: the sum over those that ended.
    `sample`: how many were looked at, the newest, for the median; and for all the rest, unless
    `is_complete`: that is over all."""

    tasks: StatusCounts
    duration_ms: int
    median_ms: int
    usage: Amounts
    sample: int
    is_complete: bool


class TaskPage(NamedTuple):
    """A page of tasks, and how many match in all; `usage`: of those that told any, by their
    numbers; `projects`: the name of each task's; `figures`: of all that match, if asked for."""

    tasks: Sequence[TaskSummary]
    total: int
    usage: Mapping[int, Usage]
    projects: Sequence[str]
    figures: TaskFigures | None = None


class TaskDetail(NamedTuple):
    """One task, with the newest of its events, oldest first; `usage_total`: with that of the tasks
    that it started, and of those that they started."""

    summary: TaskSummary
    project: str
    stack_trace: str | None
    events: Sequence[Event]
    usage: Usage | None = None
    usage_total: Amounts | None = None


class TaskLine(NamedTuple):
    """A task in a list over all projects: its texts are truncated."""

    id: int
    project: str
    task_id: str
    title: str
    status: str
    progress: float
    agent: str
    attempt: int
    started_at: int
    finished_at: int | None
    duration_ms: int | None
    message: str | None
    result: str | None
    error_type: str | None
    error_message: str | None
    updated_at: int
    session: str | None
    parent_task_id: str | None
    requests: str | None
    silent_since: int | None
    acknowledged_at: int | None
    snoozed_until: int | None
    overdue: int
    blocked: int


class AgentSession(NamedTuple):
    """A conversation or run that tasks belong to: what it has reported first and last, whether a
    task of it waits for a person, the newest of its tasks that have not ended, and the newest of
    all, if there is one yet. `host`, `lives`: of an agent that is plugged in, where it runs, and
    whether the session has not ended."""

    project: str
    name: str
    agent: str | None
    host: str | None
    lives: bool
    first_at: int
    last_at: int
    tasks: StatusCounts
    waits: bool
    usage: Amounts
    active: Sequence[TaskLine]
    last: TaskLine | None


class SessionPage(NamedTuple):
    """A page of sessions, and how many match in all."""

    sessions: Sequence[AgentSession]
    total: int


class Now(NamedTuple):
    """What is running and what ended last. `today`: the tasks that ended today; `last_id`:
    the last event that is reflected here."""

    today: Ends
    active: Sequence[TaskLine]
    ended: Sequence[TaskLine]
    last_id: int


class AgentFigures(NamedTuple):
    """An agent's tasks, over all projects; `duration_ms` is the sum over those that ended, `usage`
    what the agent has told of."""

    name: str
    tasks: int
    completed: int
    failed: int
    duration_ms: int
    usage: Amounts = NOTHING


class Activity(NamedTuple):
    """A recent report, in brief."""

    project: str
    task_id: str
    status: str
    at: int


class OverallStats(NamedTuple):
    """The figures over all projects; `agents` are those with the most tasks, `recent` the newest
    reports, newest first. `duration_ms` is the sum over tasks that ended."""

    projects: int
    tasks: StatusCounts
    duration_ms: int
    agents: Sequence[AgentFigures]
    recent: Sequence[Activity]
    usage: Usage = NO_USAGE


class DayUsage(NamedTuple):
    """What was told on one day (as in `DayCount`)."""

    day: int
    amounts: Amounts


class ProjectStats(NamedTuple):
    """A project's figures; `timeline`: the latest days on which a task ended, oldest first;
    `usage_days`: those on which usage was told."""

    project: str
    tasks: StatusCounts
    duration_ms: int
    timeline: Sequence[DayCount]
    usage: Usage = NO_USAGE
    usage_days: Sequence[DayUsage] = ()


class Trends(NamedTuple):
    """Tasks that ended, by day (the latest days with any, oldest first), and how long the latest
    of them took."""

    timeline: Sequence[DayCount]
    durations: Durations


class StorageHealth(NamedTuple):
    """An engine's version, and its size on disk in bytes, without and of the write-ahead log."""

    version: str
    size_bytes: int
    wal_size_bytes: int
