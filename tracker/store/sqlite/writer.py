"""The single writer: what the event loop hands in, committed in groups by one thread.

While one group commits, the next gathers; nothing waits for a timer. A group is one transaction,
so thirty reports share one fsync. It holds items, which are recorded together, and jobs, which run
one by one. If anything in it fails, the group is rolled back and run again with a savepoint around
each: the bad one alone fails. A job may therefore run twice, and must keep no state outside the
database.

A future resolves after COMMIT, and `on_commit` hears of every committed group before that, on the
event loop and in commit order: what is published has been committed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from tracker.clock import Clock
from tracker.errors import TrackerError, Unavailable
from tracker.store.sqlite.connection import NO_ROOM, is_refused_write

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[apsw.Connection, int], T]
"""Runs on the writer's thread with the connection and the transaction's time in milliseconds."""

Recorder = Callable[[apsw.Connection, int, Sequence[Any]], list[Any]]
"""Records items together: for each, in order, its result, or the error that is its own."""

# How long a report waits for another program to let go of the database, in seconds.
PATIENCE = 5.0

# How long a job that is in no hurry waits for a group to join, in seconds. Under load they follow
# each other faster.
_PATIENCE_OF_JOBS = 0.01

# How long `between` waits for readers, in seconds: reports wait along.
_PATIENCE_BETWEEN = 0.1

# Seconds between two words to the log about what the database refuses.
_QUIET = 10.0

# Seconds between two looks at another program's lock.
_LOOK_EVERY = 0.002


class _Entry:
    __slots__ = ("error", "future", "item", "job", "result", "since", "size")

    def __init__(
        self,
        job: Job[Any] | None,
        item: Any,
        size: int,
        since: float,
        future: asyncio.Future[Any],
    ) -> None:
        self.job = job  # None: an item
        self.item = item
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
        recorder: Recorder,
        *,
        on_commit: Callable[[Sequence[Any]], None],
        on_death: Callable[[], None],
        between: Callable[[], None] = lambda: None,
        max_waiting: int = 10_000,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """`between` runs on the writer's thread after each group, while that is answered.
        `on_death` is called, once, if the thread ends by a fault of ours: the process must not go
        on as if it could still record anything. The two maxima bound what waits."""
        self.refused = 0
        """The bytes of the largest report that the database has refused since whoever reads this
        set it to 0."""
        self._connection = connection
        self._clock = clock
        self._recorder = recorder
        self._on_commit = on_commit
        self._between = between
        self._on_death = on_death
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._waiting: list[_Entry] = []
        self._patient: list[_Entry] = []
        self._bytes = 0  # of everything not yet answered
        self._seen = 0  # how many waited at the last tick
        self._busy = False  # a group is being gathered or committed
        self._closed: Unavailable | None = None
        self._idle: asyncio.Future[None] | None = None  # awaited by `close`
        self._patient_until = 0.0  # on the clock's monotonic time
        self._quiet_until = 0.0  # likewise
        connection.set_busy_handler(self._keep_waiting)
        self._groups: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to work for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, job: Job[T]) -> asyncio.Future[T]:
        """Have `job` run in the next group.

        The future's error is the job's own, or Unavailable if the database could not take it.

        Raises:
            Unavailable: too much is waiting already, or the writer has stopped.
        """
        return self._enter(job, None, 0)

    def submit_patiently(self, job: Job[T]) -> asyncio.Future[T]:
        """Like `submit`, for what is in no hurry: it joins the next group of the others. If none
        begins for some milliseconds it has a group of its own, which then delays nobody."""
        entry = self._entry(job, None, 0)
        self._patient.append(entry)
        self._begin_later()
        return entry.future

    def submit_item(self, item: Any, size: int) -> asyncio.Future[Any]:
        """Have `item` recorded in the next group; like `submit`. `size` is roughly what it keeps
        in memory, in bytes."""
        return self._enter(None, item, size)

    async def close(self) -> None:
        """Commit what waits, then stop the thread and close the connection."""
        if self._closed is None:
            self._closed = Unavailable("The server is stopping; send this again later.")
        self._begin()
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        if self._thread.is_alive():
            self._groups.put(None)
            await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _enter(self, job: Job[Any] | None, item: Any, size: int) -> asyncio.Future[Any]:
        entry = self._entry(job, item, size)
        self._waiting.append(entry)
        self._bytes += size
        if not self._busy:
            self._begin()
        return entry.future

    def _entry(self, job: Job[Any] | None, item: Any, size: int) -> _Entry:
        if self._closed:
            raise self._closed
        if len(self._waiting) >= self._max_waiting or self._bytes + size > self._max_bytes:
            raise Unavailable("Too many reports are waiting to be written; send this one again.")
        return _Entry(job, item, size, self._clock.monotonic(), self._loop.create_future())

    def _begin(self) -> None:
        """Begin a group, if none is under way and there is anything for it."""
        if not self._busy and (self._waiting or self._patient):
            self._busy = True
            self._gather()

    def _begin_later(self) -> None:
        self._loop.call_later(_PATIENCE_OF_JOBS, self._begin)

    def _gather(self) -> None:
        self._seen = len(self._waiting)
        self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        """A group starts once a whole turn of the loop brought nothing new."""
        if len(self._waiting) > self._seen:
            self._gather()
            return
        group = self._waiting + self._patient
        self._waiting, self._patient = [], []
        self._groups.put(group)

    def _finished(self, group: list[_Entry], recorded: list[Any]) -> None:
        """Publish and answer a group; begin the next, which gathered meanwhile."""
        if self._waiting or (self._patient and self._closed):
            self._gather()
        else:
            self._rest()
            if self._patient:
                self._begin_later()
        try:
            self._on_commit(recorded)
        except Exception:
            logger.critical("What was recorded cannot be published.", exc_info=True)
            self._died(group)
            return
        for entry in group:
            self._bytes -= entry.size
            if entry.future.done():  # the client went away
                continue
            if entry.error is None:
                entry.future.set_result(entry.result)
            else:
                entry.future.set_exception(entry.error)

    def _died(self, group: list[_Entry]) -> None:
        self._closed = Unavailable("The database writer has stopped; see the server's log.")
        waiting = group + self._waiting + self._patient
        self._waiting, self._patient = [], []
        while not self._groups.empty():  # the thread will not
            waiting += self._groups.get() or []
        self._rest()
        for entry in waiting:
            if not entry.future.done():
                entry.future.set_exception(self._closed)
        self._on_death()

    def _rest(self) -> None:
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    # On the writer's thread.

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            try:
                recorded = self._commit(group)
                self._call(self._finished, group, recorded)
                self._patient_until = self._clock.monotonic() + _PATIENCE_BETWEEN
                self._between()
            except BaseException:
                logger.critical("The database writer failed; the server stops.", exc_info=True)
                self._call(self._died, group)
                return

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _commit(self, group: list[_Entry]) -> list[Any]:
        """What was recorded of the group's items; their entries hold it too, or what failed."""
        self._patient_until = group[0].since + PATIENCE
        try:
            try:
                return self._transaction(group, self._together)
            except _EntryError:
                return self._transaction(group, self._apart)
        except _RefusedError as refused:
            self._tell_of_refusal(refused.error)
            message = f"{_explain(refused.error)} Nothing was recorded; send this again."
            self.refused = max(self.refused, *(entry.size for entry in group))
            for entry in group:
                entry.error = Unavailable(message)
            return []

    def _tell_of_refusal(self, error: apsw.Error) -> None:
        """Not each time: what is refused is tried again, and the log may lie on the same disk."""
        if self._clock.monotonic() >= self._quiet_until:
            self._quiet_until = self._clock.monotonic() + _QUIET
            logger.warning("The database takes nothing at the moment: %s", error)

    def _keep_waiting(self, _tries: int) -> bool:
        """For another program's lock. SQLite's own handler would look ever more seldom."""
        time.sleep(_LOOK_EVERY)
        return self._clock.monotonic() < self._patient_until

    def _transaction(
        self, group: list[_Entry], run: Callable[[list[_Entry], int], list[Any]]
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

    def _together(self, group: list[_Entry], now: int) -> list[Any]:
        items = [entry for entry in group if entry.job is None]
        try:
            recorded = self._record(items, now)
            for entry in group:
                if entry.job is not None:
                    entry.result = entry.job(self._connection, now)
        except _REFUSALS:
            raise
        except Exception as error:
            raise _EntryError from error
        return recorded

    def _apart(self, group: list[_Entry], now: int) -> list[Any]:
        connection = self._connection
        recorded: list[Any] = []
        for entry in group:
            connection.execute("SAVEPOINT entry")
            try:
                if entry.job is None:
                    recorded += self._record([entry], now)
                else:
                    entry.result = entry.job(connection, now)
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

    def _record(self, entries: list[_Entry], now: int) -> list[Any]:
        if not entries:
            return []
        recorded = self._recorder(self._connection, now, [entry.item for entry in entries])
        for entry, result in zip(entries, recorded, strict=True):
            if isinstance(result, TrackerError):
                entry.error = result
            else:
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
