"""The store: durable reports and what can be asked about them.

The engine of `tracker.domain.ports` in SQLite. What has committed is handed to a `CommitListener`,
in the order of the log, before the report is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from agent_task_tracker.folders import MEMORY
from tracker.domain import acts
from tracker.domain.audit import Action, Actor, AuditPage, AuditQuery, Deed
from tracker.domain.events import Event
from tracker.domain.failures import Failures, FailuresQuery
from tracker.domain.hooks import AgentLine, Heard, HookRequest, Liveness
from tracker.domain.idempotency import Idempotency
from tracker.domain.insights import Insights, InsightsQuery
from tracker.domain.keys import KeySpec, KeyUse, StoredKey
from tracker.domain.limits import MAX_PAGE_BYTES
from tracker.domain.prices import NO_PRICES, Prices
from tracker.domain.principal import Scope, no_such_project
from tracker.domain.queries import (
    UNLIMITED,
    EventFilter,
    ProjectQuery,
    RetentionPolicy,
    SessionQuery,
    TaskQuery,
)
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
from tracker.domain.timeline import Timeline, TimelineQuery
from tracker.errors import NotFound, TrackerError
from tracker.store.changes import Changes, OnWrite, WriteRequest
from tracker.store.group import GroupCommit
from tracker.store.sqlite import acts as task_acts
from tracker.store.sqlite import (
    agent_sessions,
    audit,
    dashboard,
    deletions,
    events,
    failures,
    health,
    hooks,
    insights,
    keys,
    projects,
    sessions,
    silence,
    stats,
    task_pages,
    tasks,
    timeline,
)
from tracker.store.sqlite.checkpoint import PAGES, Checkpoints
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.jobs import Jobs
from tracker.store.sqlite.lock import DatabaseLock, check_links
from tracker.store.sqlite.process_watch import ProcessWatch
from tracker.store.sqlite.readers import FileReaders, Readers, WriterReaders
from tracker.store.sqlite.recovery import recover
from tracker.store.sqlite.retention import Retention
from tracker.store.sqlite.sidecars import files_of
from tracker.store.sqlite.silence_watch import SilenceWatch
from tracker.store.sqlite.telemetry_watch import TelemetryWatch
from tracker.store.sqlite.writer import Writer

if TYPE_CHECKING:
    from tracker.clock import Clock
    from tracker.config.settings import Durability
    from tracker.domain.ports import CommitListener
    from tracker.domain.sessions import EndedSessions
    from tracker.domain.tasks import Report

T = TypeVar("T")

# How much is deleted in one transaction, while which reports wait.
_DELETED_EVENTS = 2000
_DELETED_TASKS = 200

# What a cursor over the log reads at once, in events and in bytes: so much may be in memory
# for each slow subscriber.
_CURSOR_PAGE = 500
_CURSOR_PAGE_SIZE = 256 * 1024


class Store:
    """One database, open in this process alone."""

    def __init__(
        self,
        path: Path | None,
        durability: Durability,
        clock: Clock,
        listener: CommitListener,
        *,
        on_death: Callable[[], None],
        retention: RetentionPolicy = UNLIMITED,
        stale_after_ms: int = 0,
        liveness: Liveness | None = None,
        prices: Prices = NO_PRICES,
        vfs: str | None = None,
        checkpoint_pages: int = PAGES,
    ) -> None:
        """Open, make or upgrade the database. `path` None: in memory, gone at the end.

        `on_death` is called if the store can no longer record anything and never will. `retention`:
        what exceeds it is pruned. `stale_after_ms`: see `tracker.store.sqlite.silence`.
        `liveness`: of agents that are plugged in. `prices`: of models. `vfs`: the SQLite file
        system to write through; tests have one that loses power. `checkpoint_pages`: see
        `tracker.store.sqlite.checkpoint`.

        Raises:
            InUse: another server has it.
            ConfigError: it cannot be used as it is.
        """
        self._lock = None if path is None else DatabaseLock(path)
        self._checkpoints = None
        try:
            if path is not None:
                recover(path)
                check_links(path)
            connection = open_writer(path, durability, vfs)
            if self._lock:
                self._lock.confirm()
            events.repair_marks(connection)
            if path is not None:
                self._checkpoints = Checkpoints(connection, path, vfs, checkpoint_pages)
        except BaseException:
            self._release()
            raise
        self.kind = "sqlite"
        self._on_write = OnWrite(self._saved, prices)
        self._path = path
        self.last_id = events.last_id(connection)
        self.ended_sessions = sessions.read(connection)  # at the start, as these are
        self.stored_keys = keys.read(connection)
        self._clock = clock
        self._listener = listener
        self._writer = Writer(
            connection,
            clock,
            self._record,
            after_group=self._checkpoints.run_if_due if self._checkpoints else lambda: None,
        )
        self._group = GroupCommit[apsw.Connection](
            self._writer, clock, on_commit=self._committed, on_death=on_death
        )
        self._readers: Readers = (
            WriterReaders(self._group, clock) if path is None else FileReaders(path, clock)
        )
        self._processes = ProcessWatch(self._group, self._readers, liveness, self._on_write)
        self._telemetry = TelemetryWatch(
            self._group, self._readers, clock, liveness, self._on_write
        )
        self._watch = SilenceWatch(
            *(self._group, self._readers, clock, stale_after_ms, silence.last_sign(connection)),
            busy=self._processes.busy,
        )
        self._jobs = Jobs(
            self._group,
            self._readers,
            Retention(retention, self._group, clock, on_pruned=listener.forget),
            self._watch,
            *(self._processes, self._telemetry),
            on_pruned=listener.forget,
            newest=self.last_id,
        )

    @property
    def name(self) -> str:
        """The database as the user named it."""
        return MEMORY if self._path is None else str(self._path)

    @property
    def files(self) -> list[Path]:
        """The files that belong to it, its keys included, whether they exist or not."""
        return [] if self._path is None else files_of(self._path)

    def start(self) -> None:
        """Begin to work for the running event loop."""
        if self._checkpoints:
            self._checkpoints.start()
        self._group.start()
        self._jobs.start()

    async def close(self) -> None:
        """Commit what waits, checkpoint the WAL, release the database."""
        await self._jobs.stop()
        await self._watch.stop()
        await self._readers.close()
        if self._checkpoints:
            await asyncio.to_thread(self._checkpoints.close)
        await self._group.close()
        self._release()

    def record(
        self, report: Report, key: Idempotency | None, size: int
    ) -> asyncio.Future[Recorded]:
        """Write one report; done once it is committed. `size` is its body's, in bytes.

        The future's error, or raised at once:
            IdempotencyKeyReused: `key` belongs to another request.
            Unavailable: nothing was recorded; the same request may succeed later.
        """
        return self._group.submit_item(WriteRequest(report, key), size)

    def hear(self, request: HookRequest, size: int) -> asyncio.Future[Heard]:
        """Write what a payload comes to; done once it is committed. `size` is its body's, in bytes.

        The future's error, or raised at once:
            Forbidden: it is of a project that its sender may not report to.
            IdempotencyKeyReused: its key belongs to another request.
            Unavailable: nothing was recorded; the same request may succeed later.
        """
        # A process may be gone before it is looked at for the first time.
        is_seen = self._processes.sees(request.payload.process)
        return self._group.submit_item(request._replace(is_seen=is_seen), size)

    async def plugged_in(self) -> Sequence[AgentLine]:
        """The agents whose hooks have sent anything, by name."""
        return await self._read(hooks.agents)

    async def act(self, scope: Scope, project: str, task_id: str, deed: acts.Deed) -> None:
        """Record what somebody does about a task. Raises NotFound, Unavailable."""
        await self._act(
            *(scope, project, task_id),
            lambda connection, now: task_acts.record(connection, now, project, task_id, deed),
        )

    async def fail(self, scope: Scope, failed: acts.FailedByHand) -> None:
        """Record that somebody ends a task as failed. Raises NotFound, Conflict, Unavailable."""
        await self._act(
            *(scope, failed.project, failed.task_id),
            lambda connection, now: task_acts.fail(connection, now, failed, self._on_write),
        )

    async def _act(
        self,
        scope: Scope,
        project: str,
        task_id: str,
        record: Callable[[apsw.Connection, int], Sequence[Recorded] | None],
    ) -> None:
        if not scope.includes(project):
            raise _no_such_task(project, task_id)

        def act(connection: apsw.Connection, now: int) -> Sequence[Recorded]:
            recorded = record(connection, now)
            if recorded is None:
                raise _no_such_task(project, task_id)
            return recorded

        await self._group.submit_events(act)

    async def delete_task(self, project: str, task_id: str, by: Actor) -> None:
        """Delete a task and its events, the oldest first. Raises NotFound, Unavailable."""

        def delete_some(connection: apsw.Connection, now: int) -> Sequence[Recorded]:
            found = tasks.find(connection, project, task_id)
            if found is None:
                raise _no_such_task(project, task_id)
            id_, _, task = found
            if not tasks.delete_some(connection, id_, _DELETED_EVENTS):
                return ()
            deed = Deed(Action.TASK_DELETED, by, project, {"task_id": task_id})
            audit.add(connection, now, deed)
            return [deletions.of_task(connection, now, project, task_id, task, by.name)]

        await self._delete(delete_some)

    async def delete_project(self, name: str, by: Actor) -> None:
        """Delete the tasks that the project has now, their events, and the project if no new
        report has come for it meanwhile. Raises NotFound, Unavailable."""
        project_id = await self._read(lambda connection: projects.find(connection, name))
        if project_id is None:
            raise no_such_project(name)
        newest = await self._read(lambda connection: projects.newest_task(connection, project_id))
        deed = Deed(Action.PROJECT_DELETED, by, name)
        await self._group.submit(lambda connection, now: audit.add(connection, now, deed))

        def delete_some(connection: apsw.Connection, now: int) -> Sequence[Recorded]:
            # Of what another has deleted meanwhile that one's event tells: it may be there anew.
            if not projects.exists(connection, project_id):
                raise no_such_project(name)
            if not projects.delete_some(
                connection, project_id, newest, _DELETED_EVENTS, _DELETED_TASKS
            ):
                return ()
            remains = projects.exists(connection, project_id)
            return [deletions.of_project(connection, now, name, by.name, remains=remains)]

        await self._delete(delete_some)

    async def _delete(
        self, delete_some: Callable[[apsw.Connection, int], Sequence[Recorded]]
    ) -> None:
        """A little in each transaction, until one tells of it."""
        while not await self._group.submit_events(delete_some):
            self._listener.forget()
        self._listener.forget()

    async def projects(self, scope: Scope, query: ProjectQuery) -> ProjectPage:
        """A page of projects."""
        return await self._read(lambda connection: projects.page(connection, scope, query))

    async def tasks(self, scope: Scope, project: str, query: TaskQuery) -> TaskPage:
        """A page of the project's tasks. Raises NotFound."""
        scope.require(project)

        now = self._clock.now_ms()

        def read(connection: apsw.Connection) -> TaskPage:
            project_id = projects.find(connection, project)
            if project_id is None:
                raise no_such_project(project)
            return task_pages.of_project(connection, now, project_id, query)

        return await self._read(read)

    async def all_tasks(self, scope: Scope, query: TaskQuery) -> TaskPage:
        """A page of the tasks of all projects."""
        now = self._clock.now_ms()
        return await self._read(
            lambda connection: task_pages.of_scope(connection, now, scope, query)
        )

    async def task(self, scope: Scope, project: str, task_id: str) -> TaskDetail:
        """One task with its history. Raises NotFound."""
        found, now = None, self._clock.now_ms()
        if scope.includes(project):
            found = await self._read(
                lambda connection: tasks.one(connection, now, project, task_id)
            )
        if found is None:
            raise _no_such_task(project, task_id)
        return found

    async def agent_sessions(self, scope: Scope, query: SessionQuery) -> SessionPage:
        """A page of the conversations and runs that tasks belong to."""
        now = self._clock.now_ms()
        return await self._read(
            lambda connection: agent_sessions.page(connection, now, scope, query)
        )

    async def overall_stats(self, scope: Scope) -> OverallStats:
        """The figures over all projects."""
        return await self._read(lambda connection: stats.overall(connection, scope))

    async def project_stats(self, scope: Scope, name: str, days: int) -> ProjectStats:
        """One project's figures. Raises NotFound."""
        scope.require(name)
        found = await self._read(lambda connection: stats.of_project(connection, name, days))
        if found is None:
            raise no_such_project(name)
        return found

    async def now(self, scope: Scope, active: int, ended: int, zone: tzinfo = UTC) -> Now:
        """What is running and what ended last, over all projects; `zone`: whose day today is."""
        at = self._clock.now_ms()
        return await self._read(
            lambda connection: dashboard.now(connection, scope, at, active, ended, zone)
        )

    async def search(self, scope: Scope, text: str, limit: int) -> list[TaskLine]:
        """The newest tasks of any project that hold all the words of `text`."""
        at = self._clock.now_ms()
        return await self._read(
            lambda connection: dashboard.search(connection, scope, at, text, limit)
        )

    async def trends(self, scope: Scope, days: int) -> Trends:
        """Tasks that ended, by day, and durations, over all projects."""
        return await self._read(lambda connection: dashboard.trends(connection, scope, days))

    async def timeline(self, scope: Scope, query: TimelineQuery) -> Timeline:
        """What was under way in a range of time, by agent."""
        now = self._clock.now_ms()
        return await self._read(lambda connection: timeline.of(connection, now, scope, query))

    async def insights(self, scope: Scope, query: InsightsQuery) -> Insights:
        """What became of the tasks that ended in the last days, and what it cost."""
        now = self._clock.now_ms()
        return await self._read(lambda connection: insights.of(connection, now, scope, query))

    async def failures(self, scope: Scope, query: FailuresQuery) -> Failures:
        """Tasks that failed of late, alike together."""
        return await self._read(lambda connection: failures.of(connection, scope, query))

    async def events(
        self,
        scope: Scope,
        after: int,
        wanted: EventFilter,
        limit: int,
        max_size: int = MAX_PAGE_BYTES,
    ) -> Page:
        """The first of the events whose id is greater than `after`: `limit` at most, and no more
        than have `max_size` bytes."""
        return await self._read(
            lambda connection: events.after(connection, scope, after, wanted, limit, max_size)
        )

    async def event(self, scope: Scope, event_id: int) -> Event | None:
        """One event, however long it is."""
        return await self._read(lambda connection: events.one(connection, scope, event_id))

    async def newest_events(
        self, scope: Scope, before: int, wanted: EventFilter, limit: int
    ) -> Page:
        """The newest of the events whose id is smaller than `before`, oldest first; bounded as
        `events` is."""
        return await self._read(
            lambda connection: events.newest(
                connection, scope, before, wanted, limit, MAX_PAGE_BYTES
            )
        )

    async def page(self, scope: Scope, after: int) -> Page:
        """What a cursor over the log reads at once."""
        return await self.events(scope, after, EventFilter(), _CURSOR_PAGE, _CURSOR_PAGE_SIZE)

    async def add_key(self, spec: KeySpec, digest: bytes, by: Actor) -> StoredKey:
        """Store a new key. Raises Conflict, Unavailable."""
        return await self._group.submit(
            lambda connection, now: keys.add(connection, now, spec, digest, by)
        )

    async def rotate_key(self, name: str, digest: bytes, overlap_ms: int, by: Actor) -> StoredKey:
        """Give the key another secret. Raises NotFound, Unavailable."""
        return await self._group.submit(
            lambda connection, now: keys.rotate(connection, now, name, digest, overlap_ms, by)
        )

    async def revoke_key(self, name: str, by: Actor) -> None:
        """Forget the key. Raises NotFound, Unavailable."""
        await self._group.submit(lambda connection, now: keys.revoke(connection, now, name, by))

    async def save_key_uses(self, uses: Mapping[int, KeyUse]) -> None:
        """Remember when keys were used last. Raises Unavailable."""
        await self._group.submit_low_priority(
            lambda connection, _now: keys.save_uses(connection, uses)
        )

    async def save_deeds(self, deeds: Sequence[tuple[Deed, int]]) -> None:
        """Add to the record of who did what. Raises Unavailable."""
        await self._group.submit_low_priority(
            lambda connection, now: audit.add_all(connection, now, deeds)
        )

    async def note_settings(self, settings: Mapping[str, Any]) -> None:
        """Add an entry to it if these are others than the last time. Raises Unavailable."""
        await self._group.submit(
            lambda connection, now: audit.note_settings(connection, now, settings)
        )

    async def audit(self, query: AuditQuery) -> AuditPage:
        """A page of that record."""
        return await self._read(lambda connection: audit.page(connection, query))

    async def save_ended_sessions(self, ended: EndedSessions) -> None:
        """Set the epoch of the sessions, add to the revoked ones. Raises Unavailable."""
        await self._group.submit(lambda connection, now: sessions.write(connection, now, ended))

    async def health(self) -> StorageHealth:
        """Write, as much as was refused last, and read. Raises Unavailable."""
        size = min(
            max(health.MIN_PROBE_BYTES, 3 * self._writer.largest_refused), health.MAX_PROBE_BYTES
        )
        await self._group.submit(lambda connection, _now: health.write(connection, size))
        self._writer.largest_refused = 0
        if size > health.MIN_PROBE_BYTES:
            await self._group.submit(lambda connection, _now: health.shrink(connection))
        return await self._read(health.read)

    async def _read(self, query: Callable[[apsw.Connection], T]) -> T:
        return await self._readers.run(query)

    def _committed(self, recorded: Sequence[Recorded | Heard]) -> None:
        self._watch.group_done(committed=bool(recorded))
        committed = [event for result in recorded for event in result.events]
        if committed:
            self.last_id = committed[-1].id
            self._listener.publish(committed)
            self._jobs.events_added(self.last_id)

    def _record(
        self, connection: apsw.Connection, now: int, requests: Sequence[WriteRequest | HookRequest]
    ) -> list[Recorded | Heard | TrackerError]:
        return hooks.record(connection, now, requests, on_write=self._on_write)

    def _saved(self, changes: Changes) -> None:
        self._watch.saved(changes)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def _no_such_task(project: str, task_id: str) -> NotFound:
    return NotFound(f"There is no task {task_id!r} in the project {project!r}.")
