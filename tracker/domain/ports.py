"""What the server needs of a store: the interfaces that every engine implements.

An engine stores reports durably and answers queries about them. Times are milliseconds since the
epoch, durations milliseconds. All methods are called on the event loop; each query reads one
consistent state. All may raise Unavailable: the same request may succeed later.

Every query takes the `scope` of whoever asks: what lies outside of it does not exist for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol

from tracker.domain import acts
from tracker.domain.audit import Actor, AuditPage, AuditQuery, Deed
from tracker.domain.events import Event
from tracker.domain.failures import Failures, FailuresQuery
from tracker.domain.hooks import AgentLine, Heard, HookRequest
from tracker.domain.idempotency import Idempotency
from tracker.domain.insights import Insights, InsightsQuery
from tracker.domain.keys import KeySpec, KeyUse, StoredKey
from tracker.domain.principal import Scope
from tracker.domain.queries import EventFilter, ProjectQuery, SessionQuery, TaskQuery
from tracker.domain.records import (
    Now,
    OverallStats,
    Page,
    ProjectPage,
    ProjectStats,
    Recorded,
    SessionPage,
    StorageHealth,
    TaskDetail,
    TaskLine,
    TaskPage,
    Trends,
)
from tracker.domain.sessions import EndedSessions
from tracker.domain.tasks import Report
from tracker.domain.timeline import Timeline, TimelineQuery


class CommitListener(Protocol):
    """Is told, on the event loop, what has been committed."""

    def publish(self, events: Sequence[Event]) -> None:
        """These events are in the log now; they follow all that were published before."""

    def forget(self) -> None:
        """Events were deleted: what is cached of the log has to be read again."""


class ReportStore(Protocol):
    """Where reports go."""

    def record(
        self, report: Report, key: Idempotency | None, size: int
    ) -> asyncio.Future[Recorded]:
        """Write one report; done once it has been committed and published. `size`: its body's, in
        bytes.

        The future's error, or raised at once:
            IdempotencyKeyReused: `key` belongs to another request.
            Unavailable: nothing was recorded; the same request may succeed later.
        """


class HookStore(Protocol):
    """Where payloads of agents that are plugged in go."""

    def hear(self, request: HookRequest, size: int) -> asyncio.Future[Heard]:
        """Write what a payload comes to; done once it has been committed and published. `size`: its
        body's, in bytes.

        The future's error, or raised at once:
            Forbidden: it is of a project that its sender may not report to.
            IdempotencyKeyReused: its key belongs to another request.
            Unavailable: nothing was recorded; the same request may succeed later.
        """

    async def plugged_in(self) -> Sequence[AgentLine]:
        """The agents whose hooks have sent anything, by name."""


class EventLog(Protocol):
    """The log. Ids become visible in increasing order, and none is reused."""

    @property
    def last_id(self) -> int:
        """The newest event's; 0 before the first."""

    async def page(self, scope: Scope, after: int) -> Page:
        """What a cursor over the log reads at once: the first events whose id is greater than
        `after`."""

    async def events(self, scope: Scope, after: int, wanted: EventFilter, limit: int) -> Page:
        """The first events whose id is greater than `after`: at most `limit`, and fewer where they
        are long."""

    async def event(self, scope: Scope, event_id: int) -> Event | None:
        """One event, however long it is; those of the other methods are cut if they are
        (`tracker.domain.shortening`)."""

    async def newest_events(
        self, scope: Scope, before: int, wanted: EventFilter, limit: int
    ) -> Page:
        """The newest events whose id is smaller than `before`, oldest first; bounded as `events`
        is."""


class TaskStore(Protocol):
    """Tasks."""

    async def tasks(self, scope: Scope, project: str, query: TaskQuery) -> TaskPage:
        """A page of the project's tasks. Those without a value to sort by come last; ties are
        sorted by id. Raises NotFound."""

    async def all_tasks(self, scope: Scope, query: TaskQuery) -> TaskPage:
        """A page of the tasks of all projects, sorted likewise."""

    async def task(self, scope: Scope, project: str, task_id: str) -> TaskDetail:
        """One task with its history. Raises NotFound."""

    async def search(self, scope: Scope, text: str, limit: int) -> Sequence[TaskLine]:
        """The newest tasks of any project that hold all the words of `text`, each at least as the
        beginning of a word. What was recorded within the last second may be missing."""

    async def agent_sessions(self, scope: Scope, query: SessionQuery) -> SessionPage:
        """A page of the conversations and runs that tasks belong to: those that reported last come
        first."""

    async def act(self, scope: Scope, project: str, task_id: str, deed: acts.Deed) -> None:
        """Record what somebody does about a task, unless it is so already; an event tells of it
        once it is committed. Raises NotFound."""

    async def fail(self, scope: Scope, failed: acts.FailedByHand) -> None:
        """Record that somebody ends a task as failed, as a report of its agent would. Raises
        NotFound; Conflict: it has ended."""

    async def delete_task(self, project: str, task_id: str, by: Actor) -> None:
        """Delete a task and its events; its project stays. Raises NotFound."""


class ProjectStore(Protocol):
    """Projects."""

    async def projects(self, scope: Scope, query: ProjectQuery) -> ProjectPage:
        """A page of projects; ties are sorted by id."""

    async def delete_project(self, name: str, by: Actor) -> None:
        """Delete the tasks that the project has now, their events, and the project unless a new
        report has come for it meanwhile. Raises NotFound."""


class StatsReader(Protocol):
    """Statistics."""

    async def overall_stats(self, scope: Scope) -> OverallStats:
        """The figures over all projects."""

    async def project_stats(self, scope: Scope, name: str, days: int) -> ProjectStats:
        """One project's figures, with the last `days` days on which a task ended. Raises
        NotFound."""

    async def now(self, scope: Scope, active: int, ended: int, zone: tzinfo = UTC) -> Now:
        """What is running and what ended last, over all projects: at most so many of each. `zone`:
        whose day today is."""

    async def trends(self, scope: Scope, days: int) -> Trends:
        """Tasks that ended, by day (the last `days` with any), and durations, over all projects."""

    async def timeline(self, scope: Scope, query: TimelineQuery) -> Timeline:
        """What was under way in a range of time, by agent."""

    async def insights(self, scope: Scope, query: InsightsQuery) -> Insights:
        """What became of the tasks that ended in the last days, and what it cost."""

    async def failures(self, scope: Scope, query: FailuresQuery) -> Failures:
        """Tasks that failed of late, alike together."""


class SessionStore(Protocol):
    """Remembers over restarts which browser sessions ended before they expired."""

    @property
    def ended_sessions(self) -> EndedSessions:
        """Those stored when the engine was opened."""

    async def save_ended_sessions(self, ended: EndedSessions) -> None:
        """Set the epoch; add to the revoked sessions, and delete those that have expired."""


class KeyStore(Protocol):
    """Keeps the keys of one's own, by the hashes of their secrets. Each change is an entry of the
    audit log too."""

    @property
    def stored_keys(self) -> Sequence[StoredKey]:
        """Those stored when the engine was opened."""

    async def add_key(self, spec: KeySpec, digest: bytes, by: Actor) -> StoredKey:
        """Store a new one. Raises Conflict: there is one of that name, or too many."""

    async def rotate_key(self, name: str, digest: bytes, overlap_ms: int, by: Actor) -> StoredKey:
        """Give it another secret; those before go on for so many milliseconds. Raises NotFound,
        Conflict: it has expired."""

    async def revoke_key(self, name: str, by: Actor) -> None:
        """Forget it. Raises NotFound."""

    async def save_key_uses(self, uses: Mapping[int, KeyUse]) -> None:
        """Remember when keys, by id, were used last; when nothing else is to be written."""


class AuditLog(Protocol):
    """The record of who did what."""

    async def save_deeds(self, deeds: Sequence[tuple[Deed, int]]) -> None:
        """Add these, each done so many times, when nothing else is to be written. What is like an
        entry of the last hour is counted there."""

    async def note_settings(self, settings: Mapping[str, Any]) -> None:
        """The server has started with these; an entry if they are others than the last time."""

    async def audit(self, query: AuditQuery) -> AuditPage:
        """A page of it."""


class StorageCheck(Protocol):
    """Checks that the database can be written and read."""

    @property
    def kind(self) -> str:
        """The engine: `sqlite`."""

    async def health(self) -> StorageHealth:
        """Write, as much as was refused last, and read."""


class Engine(
    ReportStore,
    HookStore,
    EventLog,
    TaskStore,
    ProjectStore,
    StatsReader,
    SessionStore,
    KeyStore,
    AuditLog,
    StorageCheck,
    Protocol,
):
    """One database, and all that is asked of it."""

    @property
    def name(self) -> str:
        """The database as the user named it."""

    @property
    def files(self) -> Sequence[Path]:
        """Files on this machine that belong to it, its keys included, whether they exist or not."""

    def start(self) -> None:
        """Begin to work for the running event loop."""

    async def close(self) -> None:
        """Commit what waits and release the database. Later calls are refused."""
