"""What the store does between reports: the search index, retention, silence, noticing what
was pruned."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import apsw

from tracker.clock import MS_PER_DAY
from tracker.errors import Unavailable
from tracker.store.sqlite import events, hooks, idempotency_keys, search

if TYPE_CHECKING:
    from tracker.store.sqlite.process_watch import ProcessWatch
    from tracker.store.sqlite.readers import Readers
    from tracker.store.sqlite.retention import Retention
    from tracker.store.sqlite.silence_watch import SilenceWatch
    from tracker.store.sqlite.telemetry_watch import TelemetryWatch
    from tracker.store.sqlite.writer import Group

logger = logging.getLogger(__name__)

# Search follows the log in rounds, this many seconds apart and at least this many events at once:
# with fewer every report's commit would carry pages of the index, with more it would delay reports.
_INDEX_INTERVAL = 0.25
_INDEX_BATCH = 100

# The index by project follows that a little at a time, with rests (seconds), and not while more
# events than these come in a round, some 2,000 a second: then the processor is for reports.
_PROJECT_INDEX_BATCH = 200
_PROJECT_INDEX_PAUSE = 0.005
_LOW_LOAD_EVENTS = 500

# What has expired, as idempotency keys do: how many rows are deleted in one transaction (a
# millisecond or two), and the seconds between two transactions, and between two rounds.
_EXPIRY_BATCH = 200
_EXPIRY_PAUSE = 0.05
_EXPIRY_INTERVAL = 60.0

# What is remembered of agents' sessions to read their payloads with; their tasks stay.
_SESSIONS_KEPT_MS = 31 * MS_PER_DAY

# Seconds. Until then a subscriber may still be sent what was pruned.
_PRUNING_POLL_INTERVAL = 1.0


class Jobs:
    """Background tasks. An unexpected failure is logged, and ends that task alone."""

    def __init__(
        self,
        group: Group,
        readers: Readers,
        retention: Retention,
        silence: SilenceWatch,
        processes: ProcessWatch,
        telemetry: TelemetryWatch,
        on_pruned: Callable[[], None],
        newest: int,
    ) -> None:
        """`on_pruned` is called when events have been pruned, by this process or another. `newest`:
        the log's last event."""
        self._group = group
        self._readers = readers
        self._retention = retention
        self._silence = silence
        self._processes = processes
        self._telemetry = telemetry
        self._on_pruned = on_pruned
        self._newest = newest
        self._index_needed = asyncio.Event()
        self._index_needed.set()
        self._project_index_needed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the tasks on the running event loop."""
        jobs = (
            self._index_log(),
            self._index_by_project(),
            self._watch_pruning(),
            self._expire(_expire_some_keys),
            self._expire(self._retention.expire_audit),
            self._retention.run(),
            self._silence.run(),
            self._processes.run(),
            self._telemetry.run(),
            self._expire(_expire_some_sessions),
        )
        self._tasks = [asyncio.create_task(job) for job in jobs]
        for task in self._tasks:
            task.add_done_callback(_log_failure)

    async def stop(self) -> None:
        """Cancel the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def events_added(self, newest: int) -> None:
        """There are events to index, up to `newest`."""
        self._newest = newest
        self._index_needed.set()

    async def _index_log(self) -> None:
        before = self._newest
        while True:
            await self._index_needed.wait()
            self._index_needed.clear()
            await asyncio.sleep(_INDEX_INTERVAL)
            upto = seen = self._newest  # what comes now is the next round's
            low_load = upto - before <= _LOW_LOAD_EVENTS
            before = upto
            limit = _INDEX_BATCH
            try:
                while not await self._group.submit_low_priority(partial(_index_some, upto, limit)):
                    added, seen = self._newest - seen, self._newest
                    limit = max(_INDEX_BATCH, 3 * added)  # or it would never catch up
            except Unavailable:  # the next round tries again
                self._index_needed.set()
            else:
                (self._project_index_needed if low_load else self._index_needed).set()

    async def _index_by_project(self) -> None:
        while True:
            await self._project_index_needed.wait()
            self._project_index_needed.clear()
            newest_at_start = self._newest
            try:
                while not await self._group.submit_low_priority(_index_some_by_project):
                    await asyncio.sleep(_PROJECT_INDEX_PAUSE)
                    if (
                        self._newest - newest_at_start > _LOW_LOAD_EVENTS
                    ):  # a later round wakes this again
                        break
            except Unavailable:
                self._index_needed.set()

    async def _watch_pruning(self) -> None:
        """Notice pruning, by retention or by a command beside the server."""
        known = 0
        while True:
            await asyncio.sleep(_PRUNING_POLL_INTERVAL)
            with contextlib.suppress(Unavailable):
                pruned = (await self._readers.run(events.bounds)).pruned
                if pruned > known:
                    known = pruned
                    self._on_pruned()

    async def _expire(self, expire_some: Callable[[apsw.Connection, int], bool]) -> None:
        """Delete what has expired, a few in each transaction; `expire_some` says when it is
        done."""
        while True:
            with contextlib.suppress(Unavailable):  # the next round tries again
                done = False
                while not done:
                    done = await self._group.submit_low_priority(expire_some)
                    await asyncio.sleep(_EXPIRY_PAUSE)
            await asyncio.sleep(_EXPIRY_INTERVAL)


def _expire_some_keys(connection: apsw.Connection, now: int) -> bool:
    return idempotency_keys.delete_expired(connection, now, _EXPIRY_BATCH)


def _expire_some_sessions(connection: apsw.Connection, now: int) -> bool:
    return hooks.delete_old(connection, now - _SESSIONS_KEPT_MS, _EXPIRY_BATCH)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("Work in the background has failed.", exc_info=task.exception())


def _index_some(upto: int, limit: int, connection: apsw.Connection, _now: int) -> bool:
    with _explain_corruption():
        return search.index_some(connection, upto, limit)


def _index_some_by_project(connection: apsw.Connection, _now: int) -> bool:
    with _explain_corruption():
        return search.index_some_by_project(connection, _PROJECT_INDEX_BATCH)


@contextlib.contextmanager
def _explain_corruption() -> Iterator[None]:
    try:
        yield
    except apsw.CorruptError as error:  # which would say that no report can be written either
        raise RuntimeError(
            "The search index is broken: searches miss what comes now. Make a new database of this "
            "one, by tracker export and tracker import."
        ) from error
