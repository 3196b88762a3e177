"""What the server asks of a store: the interfaces that every engine has.

An engine keeps reports durably and answers what is asked about them. Times are milliseconds since
the epoch, durations milliseconds. Everything but the making of an engine is the event loop's; what
is read is one consistent state. All may raise Unavailable: not now, and the same request may
succeed later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tracker.domain.events import Event
from tracker.domain.idempotency import Idempotency
from tracker.domain.queries import EventFilter, ProjectQuery, TaskQuery
from tracker.domain.records import (
    Now,
    OverallStats,
    Page,
    ProjectPage,
    ProjectStats,
    Recorded,
    StorageHealth,
    TaskDetail,
    TaskLine,
    TaskPage,
    Trends,
)
from tracker.domain.sessions import Ended
from tracker.domain.tasks import Report


class CommitListener(Protocol):
    """Who hears, on the event loop, what has been committed."""

    def publish(self, events: Sequence[Event]) -> None:
        """These events are in the log now; they follow all that were published before."""

    def forget(self) -> None:
        """Events were deleted: whatever is remembered of the log must be read again."""


class ReportStore(Protocol):
    """Where reports go."""

    def record(
        self, report: Report, key: Idempotency | None, size: int
    ) -> asyncio.Future[Recorded]:
        """Write one report; done once it is committed, and has been published. `size` is its
        body's, in bytes.

        The future's error, or raised at once:
            IdempotencyKeyReused: `key` belongs to another request.
            Unavailable: nothing was recorded; the same request may succeed later.
        """


class EventLog(Protocol):
    """The log. Ids become visible in increasing order, and none is given twice."""

    @property
    def last_id(self) -> int:
        """The newest event's; 0 before the first."""

    async def page(self, after: int, project: str | None) -> Page:
        """What a cursor over the log reads at once: the first of the events whose id is greater
        than `after`, of all projects or one."""

    async def events(self, after: int, wanted: EventFilter, limit: int) -> Page:
        """The first of the events whose id is greater than `after`: `limit` at most, and fewer
        where they are long."""

    async def newest_events(self, before: int, wanted: EventFilter, limit: int) -> Page:
        """The newest of the events whose id is smaller than `before`, oldest first; bounded as
        `events` is."""


class TaskStore(Protocol):
    """Tasks."""

    async def tasks(self, project: str, query: TaskQuery) -> TaskPage:
        """A page of the project's tasks. Those without a value to sort by come last; those with
        the same go by id. Raises NotFound."""

    async def task(self, project: str, task_id: str) -> TaskDetail:
        """One task with its history. Raises NotFound."""

    async def search(self, text: str, limit: int) -> Sequence[TaskLine]:
        """The newest tasks of any project that hold all the words of `text`, each at least as the
        beginning of a word. What was recorded within the last second may be missing."""

    async def delete_task(self, project: str, task_id: str) -> None:
        """Delete a task and its events; its project stays. Raises NotFound."""


class ProjectStore(Protocol):
    """Projects."""

    async def projects(self, query: ProjectQuery) -> ProjectPage:
        """A page of projects; those with the same value to sort by go by id."""

    async def delete_project(self, name: str) -> None:
        """Delete the tasks that the project has now, their events, and the project if no new
        report has come for it meanwhile. Raises NotFound."""


class StatsReader(Protocol):
    """Figures."""

    async def overall_stats(self) -> OverallStats:
        """Those over all projects."""

    async def project_stats(self, name: str, days: int) -> ProjectStats:
        """One project's, with the last `days` days that saw an end. Raises NotFound."""

    async def now(self, active: int, ended: int) -> Now:
        """What runs and what ended last, over all projects: so many of each at most."""

    async def trends(self, days: int) -> Trends:
        """Ends a day (the last `days` that saw one) and durations, over all projects."""


class SessionStore(Protocol):
    """Where it is kept over a restart which browser sessions ended before their time."""

    @property
    def ended_sessions(self) -> Ended:
        """As it was at the start."""

    async def keep_ended_sessions(self, ended: Ended) -> None:
        """Set the epoch; add to the revoked, and forget those that are over by themselves."""


class StorageCheck(Protocol):
    """Whether the database really takes a write and answers a read."""

    @property
    def kind(self) -> str:
        """The engine: `sqlite`."""

    async def health(self) -> StorageHealth:
        """Really write, as much as was refused last, and read."""


class Engine(
    ReportStore,
    EventLog,
    TaskStore,
    ProjectStore,
    StatsReader,
    SessionStore,
    StorageCheck,
    Protocol,
):
    """One database, and all that is asked of it."""

    @property
    def name(self) -> str:
        """The database as the user named it."""

    @property
    def files(self) -> Sequence[Path]:
        """Those on this machine that belong to it, its keys too, whether they exist or not."""

    def start(self) -> None:
        """Begin to work for the running event loop."""

    async def close(self) -> None:
        """Commit what waits, let go of the database. Whatever comes later is refused."""
