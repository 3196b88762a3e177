"""What a store answers. Times are milliseconds since the epoch, durations milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracker.domain.durations import Durations
from tracker.domain.events import Event
from tracker.domain.tasks import TaskSummary


class Recorded(NamedTuple):
    """What became of a report.

    `created`: the task was first seen by it. `duration_ms`: the task's, once it has ended.
    `event` is None when an idempotency key answered with what was recorded earlier.
    """

    event_id: int
    at: int
    created: bool
    duration_ms: int | None
    event: Event | None

    @property
    def answer(self) -> tuple[int, int, bool, int | None]:
        """What an idempotency key remembers of it."""
        return self.event_id, self.at, self.created, self.duration_ms


class Bounds(NamedTuple):
    """The log's ends: `oldest` is the smallest id that may still be there, `last` the newest id
    ever given, `pruned` the newest id that pruning has removed. `gaps`: the first and last of the
    numbers that restores have jumped over."""

    oldest: int
    last: int
    pruned: int
    gaps: tuple[tuple[int, int], ...] = ()

    def reach(self, cursor: int) -> bool:
        """Whether the log has all that ever came after `cursor`: nothing of it was pruned, and
        the cursor is none of another database, or of the one that a restore has replaced."""
        return self.pruned <= cursor <= self.last and not any(
            first <= cursor <= last for first, last in self.gaps
        )


class Page(NamedTuple):
    """Some of the log, oldest first, and where the log began and ended just then.

    `cursor` is where the next page begins; at `bounds.last` there is no more.
    """

    events: Sequence[Event]
    cursor: int
    bounds: Bounds


class DayCount(NamedTuple):
    """Ends on one day; `day` is counted from the Unix epoch, in UTC."""

    day: int
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
    if nobody asked."""

    id: int
    name: str
    created_at: int
    updated_at: int
    tasks: StatusCounts
    activity: Sequence[DayCount] | None = None


class ProjectPage(NamedTuple):
    """Some of the projects, and how many there are in all."""

    projects: Sequence[ProjectSummary]
    total: int


class TaskPage(NamedTuple):
    """Some of a project's tasks, and how many match in all."""

    tasks: Sequence[TaskSummary]
    total: int


class TaskDetail(NamedTuple):
    """One task, with the newest of its events, oldest first."""

    summary: TaskSummary
    project: str
    stack_trace: str | None
    events: Sequence[Event]


class TaskLine(NamedTuple):
    """A task of any project in a list of few words: its texts are cut."""

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


class Now(NamedTuple):
    """What runs and what ended last. `today`: the ends of this day; `last_id`: the last event that
    all this knows of."""

    today: DayCount
    active: Sequence[TaskLine]
    ended: Sequence[TaskLine]
    last_id: int


class AgentFigures(NamedTuple):
    """An agent's tasks, over all projects; `duration_ms` is the sum over those that ended."""

    name: str
    tasks: int
    completed: int
    failed: int
    duration_ms: int


class Activity(NamedTuple):
    """A report that came, in brief."""

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


class ProjectStats(NamedTuple):
    """A project's figures; `timeline`: the latest days on which a task ended, oldest first."""

    project: str
    tasks: StatusCounts
    duration_ms: int
    timeline: Sequence[DayCount]


class Trends(NamedTuple):
    """Ends a day (the latest that saw one, oldest first), and how long the tasks took that ended
    last."""

    timeline: Sequence[DayCount]
    durations: Durations


class StorageHealth(NamedTuple):
    """What an engine tells of itself: its version, and bytes on the disk, those of the write-ahead
    log apart."""

    version: str
    size_bytes: int
    wal_size_bytes: int
