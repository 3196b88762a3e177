"""Group commit: what the event loop submits is committed in groups, by any engine.

While one group commits, the next gathers; nothing waits for a timer. A group is one transaction,
so thirty reports share one fsync. It holds items, which are recorded together, and jobs, which run
one by one. If anything in it fails, the engine rolls it back and runs it again entry by entry: the
bad one alone fails. A job may therefore run twice, and must keep no state outside the database.

A future resolves after COMMIT, and `on_commit` hears of every committed group before that, on the
event loop and in commit order: what is published has been committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tracker.clock import Clock
from tracker.errors import Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
C = TypeVar("C")

Job = Callable[[C, int], T]
"""Runs where the engine writes, with its connection and the transaction's time in milliseconds."""

# How long a job of low priority waits for a group to join, in seconds. Under load groups come more
# often.
_LOW_PRIORITY_DELAY = 0.01


class Entry:
    """An item or a job in a group, and what the engine says became of it."""

    __slots__ = ("error", "future", "item", "job", "publishes", "queued_at", "result", "size")

    def __init__(
        self,
        job: Job[Any, Any] | None,
        item: Any,
        size: int,
        queued_at: float,
        future: asyncio.Future[Any],
    ) -> None:
        """`queued_at`: when it came, on the clock's monotonic time. `size`: see `submit_item`."""
        self.job = job  # None: an item
        self.publishes = False  # whether what the job returns is recorded, as items are
        self.item = item
        self.size = size
        self.queued_at = queued_at
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None


class Committer(Protocol):
    """An engine's part: commits one group after the other, in order, off the event loop's way."""

    def start(self, on_done: Callable[[Sequence[Any]], None], on_death: Callable[[], None]) -> None:
        """Begin to work for the running event loop, on which both are called.

        `on_done`: the group is through; these are what was recorded of its items, and its entries
        hold their results or the errors that are theirs. `on_death`: nothing will be committed any
        more, by a fault of ours.
        """

    def commit(self, group: list[Entry]) -> None:
        """Commit the group, which is never empty. The next comes when this one is done."""

    async def close(self) -> None:
        """Let go of the connection; nothing is under way."""


class GroupCommit(Generic[C]):
    """Gathers groups and resolves their futures. Used on the event loop alone."""

    def __init__(
        self,
        committer: Committer,
        clock: Clock,
        *,
        on_commit: Callable[[Sequence[Any]], None],
        on_death: Callable[[], None],
        max_waiting: int = 10_000,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """`on_death` is called, once, if nothing can be committed any more by a fault of ours: the
        process must not go on as if it could still record anything. The two maxima bound what
        waits."""
        self._committer = committer
        self._clock = clock
        self._on_commit = on_commit
        self._on_death = on_death
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._waiting: list[Entry] = []
        self._low_priority: list[Entry] = []
        self._in_flight: list[Entry] = []  # handed to the committer, and not yet answered
        self._pending_bytes = 0  # of everything not yet answered
        self._waiting_before = 0  # how many waited at the last tick
        self._busy = False  # a group is being gathered or committed
        self._dead = False
        self._closed: Unavailable | None = None
        self._idle: asyncio.Future[None] | None = None  # awaited by `close`
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to work for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._committer.start(self._group_done, self._fail)

    def submit(self, job: Job[C, T]) -> asyncio.Future[T]:
        """Have `job` run in the next group.

        The future's error is the job's own, or Unavailable if the database could not take it.

        Raises:
            Unavailable: too much is waiting already, or nothing is committed any more.
        """
        return self._enqueue(job, None, 0)

    def submit_low_priority(self, job: Job[C, T]) -> asyncio.Future[T]:
        """Like `submit`, for what is in no hurry: it joins the next group of the others. If none
        begins for some milliseconds it has a group of its own, which then delays nobody."""
        return self._enqueue_low_priority(self._new_entry(job, None, 0))

    def submit_events(self, job: Job[C, Sequence[Any]]) -> asyncio.Future[Sequence[Any]]:
        """Like `submit_low_priority`, for a job that records what it returns: `on_commit` hears of
        that too, after the group's items."""
        entry = self._new_entry(job, None, 0)
        entry.publishes = True
        return self._enqueue_low_priority(entry)

    def submit_item(self, item: Any, size: int) -> asyncio.Future[Any]:
        """Have `item` recorded in the next group; like `submit`. `size` is roughly what it keeps
        in memory, in bytes."""
        return self._enqueue(None, item, size)

    async def close(self) -> None:
        """Commit what waits, then let the engine go."""
        if self._closed is None:
            self._closed = Unavailable("The server is stopping; send this again later.")
        self._start_group()
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        await self._committer.close()

    def _enqueue(self, job: Job[Any, Any] | None, item: Any, size: int) -> asyncio.Future[Any]:
        entry = self._new_entry(job, item, size)
        self._waiting.append(entry)
        self._pending_bytes += size
        if not self._busy:
            self._start_group()
        return entry.future

    def _enqueue_low_priority(self, entry: Entry) -> asyncio.Future[Any]:
        self._low_priority.append(entry)
        self._start_group_later()
        return entry.future

    def _new_entry(self, job: Job[Any, Any] | None, item: Any, size: int) -> Entry:
        if self._closed:
            raise self._closed
        if len(self._waiting) >= self._max_waiting or self._pending_bytes + size > self._max_bytes:
            raise Unavailable("Too many reports are waiting to be written; send this one again.")
        return Entry(job, item, size, self._clock.monotonic(), self._loop.create_future())

    def _start_group(self) -> None:
        """Begin a group, if none is under way and there is anything for it."""
        if not self._busy and (self._waiting or self._low_priority):
            self._busy = True
            self._gather()

    def _start_group_later(self) -> None:
        self._loop.call_later(_LOW_PRIORITY_DELAY, self._start_group)

    def _gather(self) -> None:
        self._waiting_before = len(self._waiting)
        self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        """A group starts once a whole turn of the loop brought nothing new."""
        if self._dead:
            return
        if len(self._waiting) > self._waiting_before:
            self._gather()
            return
        self._in_flight = self._waiting + self._low_priority
        self._waiting, self._low_priority = [], []
        self._committer.commit(self._in_flight)

    def _group_done(self, recorded: Sequence[Any]) -> None:
        """Publish and answer a group; begin the next, which gathered meanwhile."""
        group = self._in_flight
        if self._waiting or (self._low_priority and self._closed):
            self._gather()
        else:
            self._go_idle()
            if self._low_priority:
                self._start_group_later()
        try:
            self._on_commit(recorded)
        except Exception:
            logger.critical("What was recorded cannot be published.", exc_info=True)
            self._fail()
            return
        self._in_flight = []
        for entry in group:
            self._pending_bytes -= entry.size
            if entry.future.done():  # the client went away
                continue
            if entry.error is None:
                entry.future.set_result(entry.result)
            else:
                entry.future.set_exception(entry.error)

    def _fail(self) -> None:
        if self._dead:
            return
        self._dead = True
        self._closed = Unavailable("The database writer has stopped; see the server's log.")
        unanswered = self._in_flight + self._waiting + self._low_priority
        self._in_flight, self._waiting, self._low_priority = [], [], []
        self._go_idle()
        for entry in unanswered:
            if not entry.future.done():
                entry.future.set_exception(self._closed)
        self._on_death()

    def _go_idle(self) -> None:
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
