"""The single writer: commits groups of reports and jobs on a thread of its own.

A group is one transaction. If anything in it fails, it is rolled back and run again with a
savepoint around each: the bad one alone fails. What gathers and answers groups is
`tracker.store.group`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import apsw

from tracker.clock import Clock
from tracker.errors import TrackerError, Unavailable
from tracker.store.group import Entry, GroupCommit, Job
from tracker.store.sqlite.connection import NO_ROOM, is_refused_write

logger = logging.getLogger(__name__)

Group = GroupCommit[apsw.Connection]
"""Where jobs on the writer's connection are handed in."""

Recorder = Callable[[apsw.Connection, int, Sequence[Any]], list[Any]]
"""Records items together: for each, in order, its result, or the error that is its own."""

# How long a report waits for another program to let go of the database, in seconds.
LOCK_TIMEOUT = 5.0

# How long `after_group` waits for readers, in seconds: reports wait along.
_AFTER_GROUP_TIMEOUT = 0.1

# Seconds between two warnings about refused writes.
_WARNING_INTERVAL = 10.0

# Seconds between two looks at another program's lock.
_LOCK_POLL_INTERVAL = 0.002


class Writer:
    """Owns the writing connection: the `Committer` of SQLite."""

    def __init__(
        self,
        connection: apsw.Connection,
        clock: Clock,
        recorder: Recorder,
        *,
        after_group: Callable[[], None] = lambda: None,
    ) -> None:
        """`after_group` runs on the writer's thread after each group, while that is answered."""
        self.largest_refused = 0
        """The bytes of the largest report that the database has refused since whoever reads this
        set it to 0."""
        self._connection = connection
        self._clock = clock
        self._recorder = recorder
        self._after_group = after_group
        self._lock_deadline = 0.0  # on the clock's monotonic time
        self._next_warning = 0.0  # likewise
        connection.set_busy_handler(self._wait_for_lock)
        self._groups: SimpleQueue[list[Entry] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._on_done: Callable[[Sequence[Any]], None]
        self._on_death: Callable[[], None]

    def start(self, on_done: Callable[[Sequence[Any]], None], on_death: Callable[[], None]) -> None:
        """See `Committer`."""
        self._loop = asyncio.get_running_loop()
        self._on_done = on_done
        self._on_death = on_death
        self._thread.start()

    def commit(self, group: list[Entry]) -> None:
        """See `Committer`."""
        self._groups.put(group)

    async def close(self) -> None:
        """Stop the thread and close the connection."""
        if self._thread.is_alive():
            self._groups.put(None)
            await asyncio.to_thread(self._thread.join)
        self._connection.close()

    # On the writer's thread.

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            try:
                recorded = self._commit(group)
                self._call(self._on_done, recorded)
                self._lock_deadline = self._clock.monotonic() + _AFTER_GROUP_TIMEOUT
                self._after_group()
            except BaseException:
                logger.critical("The database writer failed; the server stops.", exc_info=True)
                self._call(self._on_death)
                return

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _commit(self, group: list[Entry]) -> list[Any]:
        """What was recorded of the group's items; their entries hold it too, or what failed."""
        self._lock_deadline = group[0].queued_at + LOCK_TIMEOUT
        try:
            try:
                return self._transaction(group, self._run_batch)
            except _EntryError:
                return self._transaction(group, self._run_with_savepoints)
        except _RefusedError as refused:
            self._log_refusal(refused.error)
            message = f"{_explain(refused.error)} Nothing was recorded; send this again."
            self.largest_refused = max(self.largest_refused, *(entry.size for entry in group))
            for entry in group:
                entry.error = Unavailable(message)
            return []

    def _log_refusal(self, error: apsw.Error) -> None:
        """Not each time: what is refused is tried again, and the log may lie on the same disk."""
        if self._clock.monotonic() >= self._next_warning:
            self._next_warning = self._clock.monotonic() + _WARNING_INTERVAL
            logger.warning("The database takes nothing at the moment: %s", error)

    def _wait_for_lock(self, _tries: int) -> bool:
        """For another program's lock. SQLite's own handler would look ever more seldom."""
        time.sleep(_LOCK_POLL_INTERVAL)
        return self._clock.monotonic() < self._lock_deadline

    def _transaction(
        self, group: list[Entry], run: Callable[[list[Entry], int], list[Any]]
    ) -> list[Any]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            recorded = run(group, self._clock.now_ms())
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._rollback()
            raise _RefusedError(error) from error
        except BaseException:
            self._rollback()
            raise
        return recorded

    def _rollback(self) -> None:
        # A full disk or an I/O error has rolled back by itself.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _run_batch(self, group: list[Entry], now: int) -> list[Any]:
        items = [entry for entry in group if entry.job is None]
        try:
            recorded = self._record(items, now)
            for entry in group:
                if entry.job is not None:
                    recorded += self._run_job(entry, entry.job, now)
        except _REFUSALS:
            raise
        except Exception as error:
            raise _EntryError from error
        return recorded

    def _run_with_savepoints(self, group: list[Entry], now: int) -> list[Any]:
        connection = self._connection
        recorded: list[Any] = []
        for entry in group:
            connection.execute("SAVEPOINT entry")
            try:
                if entry.job is None:
                    recorded += self._record([entry], now)
                else:
                    recorded += self._run_job(entry, entry.job, now)
            except _REFUSALS:
                raise
            except Exception as error:
                if not isinstance(error, TrackerError):
                    logger.exception("Something could not be written.")
                # Whoever lets go of a traceback last, on any thread, lets go of its cursors.
                entry.error = error.with_traceback(None)
                connection.execute("ROLLBACK TO entry")
            connection.execute("RELEASE entry")
        return recorded

    def _run_job(self, entry: Entry, job: Job[apsw.Connection, Any], now: int) -> Sequence[Any]:
        """What the job has recorded, if it does."""
        entry.result = job(self._connection, now)
        return entry.result if entry.publishes else ()

    def _record(self, entries: list[Entry], now: int) -> list[Any]:
        if not entries:
            return []
        recorded = self._recorder(self._connection, now, [entry.item for entry in entries])
        for entry, result in zip(entries, recorded, strict=True):
            entry.error = result if isinstance(result, TrackerError) else None
            entry.result = result
        return [result for result in recorded if not isinstance(result, TrackerError)]


class _EntryError(Exception):
    """Something in the group failed: it is run again, each by itself."""


class _RefusedError(Exception):
    """The database took nothing of the group."""

    def __init__(self, error: apsw.Error) -> None:
        super().__init__(str(error))
        self.error = error


# What the database as a whole cannot do now, as opposed to what one entry did wrong.
_REFUSALS = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
    apsw.ProtocolError,
)


def _explain(error: apsw.Error) -> str:
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return "Another program holds the database."
    if isinstance(error, apsw.FullError):
        return "The disk is full."
    if is_refused_write(error):
        return f"{NO_ROOM[0].upper()}{NO_ROOM[1:]}."
    return "The database cannot be written."
