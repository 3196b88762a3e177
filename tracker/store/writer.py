"""The single writer: jobs from the event loop, committed in groups by one thread.

While one group commits, the next gathers; nothing waits for a timer. A group is one transaction,
so thirty reports share one fsync. If a job in it fails, the group is rolled back and run again
with a savepoint around each job: the bad one alone fails. A job may therefore run twice, and must
keep no state outside the database.

A job's future resolves after COMMIT, and `on_commit` hears of every committed group before that,
on the event loop and in commit order: what is published has been committed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from tracker.clock import Clock
from tracker.errors import TrackerError, Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[apsw.Connection, int], T]
"""Runs on the writer's thread with the connection and the transaction's time in milliseconds."""

# How long a report waits for another program to let go of the database, in seconds.
PATIENCE = 5.0


class _Entry:
    __slots__ = ("error", "future", "job", "result", "since", "size")

    def __init__(self, job: Job[Any], size: int, since: float, future: asyncio.Future[Any]) -> None:
        self.job = job
        self.size = size
        self.since = since
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Owns the writing connection. Everything but `_run` and what it calls is the loop's."""

    def __init__(
        self,
        connection: apsw.Connection,
        clock: Clock,
        *,
        on_commit: Callable[[Sequence[Any]], None],
        on_death: Callable[[], None],
        max_jobs: int = 10_000,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """`on_death` is called, once, if the thread ends by a fault of ours: the process must not
        go on as if it could still record anything. The two maxima bound what waits."""
        self._connection = connection
        self._clock = clock
        self._on_commit = on_commit
        self._on_death = on_death
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._waiting: list[_Entry] = []
        self._bytes = 0  # of everything not yet answered
        self._seen = 0  # how many waited at the last tick
        self._busy = False  # a group is being gathered or committed
        self._closed: Unavailable | None = None
        self._idle: asyncio.Future[None] | None = None  # awaited by `close`
        self._groups: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to work for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, job: Job[T], size: int = 0) -> asyncio.Future[T]:
        """Have `job` run in the next group. `size` is roughly what it keeps in memory, in bytes.

        The future's error is the job's own, or Unavailable if the database could not take it.

        Raises:
            Unavailable: too much is waiting already, or the writer has stopped.
        """
        if self._closed:
            raise self._closed
        if len(self._waiting) >= self._max_jobs or self._bytes + size > self._max_bytes:
            raise Unavailable("Too many reports are waiting to be written; send this one again.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Entry(job, size, self._clock.monotonic(), future))
        self._bytes += size
        if not self._busy:
            self._busy = True
            self._seen = len(self._waiting)
            self._loop.call_soon(self._tick)
        return future

    async def close(self) -> None:
        """Commit what waits, then stop the thread and close the connection."""
        if self._closed is None:
            self._closed = Unavailable("The server is stopping; send this again later.")
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        if self._thread.is_alive():
            self._groups.put(None)
            await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _tick(self) -> None:
        """A group starts once a whole turn of the loop brought no new job."""
        if len(self._waiting) > self._seen:
            self._seen = len(self._waiting)
            self._loop.call_soon(self._tick)
            return
        group, self._waiting = self._waiting, []
        self._groups.put(group)

    def _finished(self, group: list[_Entry]) -> None:
        """Publish and answer a group; begin the next, which gathered meanwhile."""
        if self._waiting:
            self._seen = len(self._waiting)
            self._loop.call_soon(self._tick)
        else:
            self._rest()
        self._on_commit([entry.result for entry in group if entry.error is None])
        for entry in group:
            self._bytes -= entry.size
            if entry.future.done():  # the client went away
                continue
            if entry.error is None:
                entry.future.set_result(entry.result)
            else:
                entry.future.set_exception(entry.error)

    def _rest(self) -> None:
        self._busy = False
        if self._idle is not None:
            self._idle.set_result(None)

    def _died(self, group: list[_Entry]) -> None:
        self._closed = Unavailable("The database writer has stopped; see the server's log.")
        waiting, self._waiting = self._waiting, []
        self._rest()
        for entry in [*group, *waiting]:
            if not entry.future.done():
                entry.future.set_exception(self._closed)
        self._on_death()

    # On the writer's thread.

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            try:
                self._commit(group)
            except BaseException:
                logger.critical("The database writer failed; the server stops.", exc_info=True)
                self._call(self._died, group)
                return
            self._call(self._finished, group)

    def _call(self, callback: Callable[[list[_Entry]], None], group: list[_Entry]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, group)

    def _commit(self, group: list[_Entry]) -> None:
        patience = group[0].since + PATIENCE - self._clock.monotonic()
        self._connection.set_busy_timeout(max(1, int(patience * 1000)))
        try:
            self._transaction(group, self._plainly)
        except _RefusedError as refused:
            self._refuse(group, refused.error)
        except _JobError:
            try:
                self._transaction(group, self._with_savepoint)
            except _RefusedError as refused:
                self._refuse(group, refused.error)

    def _transaction(self, group: list[_Entry], run: Callable[[_Entry, int], None]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            now = self._clock.now_ms()
            for entry in group:
                run(entry, now)
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._rollback()
            raise _RefusedError(error) from error
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        # A full disk or an I/O error has rolled back by itself.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _plainly(self, entry: _Entry, now: int) -> None:
        try:
            entry.result = entry.job(self._connection, now)
        except Exception as error:
            if _is_refusal(error):
                raise
            raise _JobError from error

    def _with_savepoint(self, entry: _Entry, now: int) -> None:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            entry.result = entry.job(connection, now)
        except Exception as error:
            if _is_refusal(error):
                raise
            entry.error = error
            if not isinstance(error, TrackerError):
                logger.exception("A report could not be written.")
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def _refuse(self, group: list[_Entry], error: apsw.Error) -> None:
        logger.warning("The database refused %d reports: %s", len(group), error)
        for entry in group:
            entry.error = Unavailable(f"{_explain(error)} Nothing was recorded; send this again.")


class _JobError(Exception):
    """A job raised: the group is run again, each job by itself."""


class _RefusedError(Exception):
    """The database took nothing of the group."""

    def __init__(self, error: apsw.Error) -> None:
        super().__init__(str(error))
        self.error = error


# What the database as a whole cannot do now, as opposed to what one job did wrong.
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


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, _REFUSALS)


def _explain(error: apsw.Error) -> str:
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return "Another program holds the database."
    if isinstance(error, apsw.FullError):
        return "The disk is full."
    return "The database cannot be written."
