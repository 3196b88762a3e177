"""A ring of recent events and a wake-up. Nothing is queued per subscriber, no I/O is done.

Every subscriber keeps a cursor (see `tracker.ws.stream`). The hub returns what came after it from
the ring, or says that the log has to be read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property

from tracker.domain.events import Event, Notice
from tracker.domain.lease import Lease
from tracker.domain.principal import Scope

# Bytes of events in the batches that are kept for other subscribers at the same cursor.
_MAX_SHARED_BYTES = 4 * 1024 * 1024

# A wake-up delays the next one: for each subscriber by three times the seconds that sending a batch
# takes, up to a maximum, also in seconds.
_DELAY_PER_SUBSCRIBER = 30e-6
_MAX_DELAY = 0.1


class Batch:
    """Consecutive messages past a cursor, joined once for all subscribers that get them."""

    def __init__(self, messages: Sequence[Event | Notice], cursor: int) -> None:
        """`cursor` is where the next batch begins; `messages` may be empty."""
        self.messages = messages
        self.cursor = cursor

    @cached_property
    def frames(self) -> bytes:
        """The messages as WebSocket frames, to be written as one."""
        return b"".join([message.frame for message in self.messages])

    @cached_property
    def sse(self) -> bytes:
        """The messages as server-sent events."""
        return b"".join([message.sse for message in self.messages])

    @cached_property
    def unnamed_sse(self) -> bytes:
        """The same without the events' names."""
        return b"".join([message.unnamed_sse for message in self.messages])


class Hub:
    """The newest events, bounded in number and bytes."""

    def __init__(
        self,
        *,
        max_events: int = 4096,
        max_bytes: int = 8 * 1024 * 1024,
        batch_bytes: int = 256 * 1024,
    ) -> None:
        """`batch_bytes`: the size at which a batch is full, so that a slow subscriber keeps little
        in memory."""
        self.last_id = 0
        self.closed = False
        self._floor = 0  # every event past it is in the ring
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._batch_bytes = batch_bytes
        self._batches: dict[tuple[int, Scope], Batch] = {}
        self._shared_bytes = 0
        self._wakeup = asyncio.Event()
        self._waiters = 0  # subscribers that wait
        self._scheduled_wakeup: asyncio.Handle | None = None  # the next one, if it was delayed
        self._next_wakeup_at = 0.0  # not before that, on the event loop's clock

    def begin_after(self, last_id: int) -> None:
        """What the log holds already, up to `last_id`, is not in the ring."""
        self.last_id = self._floor = last_id

    def publish(self, events: Sequence[Event]) -> None:
        """Add committed events, in the order of the log, and wake all subscribers that wait."""
        self._ring.extend(events)
        self._bytes += sum(len(event.data) for event in events)
        self.last_id = events[-1].id
        while len(self._ring) > self._max_events or self._bytes > self._max_bytes:
            oldest = self._ring.popleft()
            self._bytes -= len(oldest.data)
            self._floor = oldest.id
        self._clear_batches()
        self._wake_throttled()

    def forget(self) -> None:
        """Events were deleted: subscribers that are behind read the log."""
        self._ring.clear()
        self._bytes = 0
        self._floor = self.last_id
        self._clear_batches()

    def close(self) -> None:
        """Wake all subscribers for the last time: the server stops."""
        self.closed = True
        self._wake()

    def after(self, cursor: int, scope: Scope) -> Batch | None:
        """What came after `cursor` in the scope; None when the log has to be read:
        the ring does not reach back so far, or nothing as new has been published.

        Subscribers at the same cursor share one batch.
        """
        if not self._floor <= cursor <= self.last_id:
            return None
        key = (cursor, scope)
        batch = self._batches.get(key)
        if batch is None:
            batch = self._make_batch(self._events_after(cursor), scope)
            self._batches[key] = batch
        return batch

    def wake_soon(self) -> None:
        """Wake all subscribers, as a lease of one has ended. From any place in the event loop."""
        if self._scheduled_wakeup is None:
            self._scheduled_wakeup = asyncio.get_running_loop().call_soon(self._wake)

    async def wait(
        self, cursor: int, seconds: float | None = None, lease: Lease | None = None
    ) -> None:
        """Return once there is anything past `cursor`, the hub is closed, the lease is over (and
        `wake_soon` was called), or `seconds` have passed."""
        if seconds is None:
            await self._wait(cursor, lease)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wait(cursor, lease)

    async def round_trip(self, seconds: float = 1.0) -> bool:
        """Whether a wake-up reaches a waiting task. The others find nothing new and wait on."""
        waiting = asyncio.create_task(self._wakeup.wait())
        await asyncio.sleep(0)
        self._wake()
        _, pending = await asyncio.wait({waiting}, timeout=seconds)
        for task in pending:
            task.cancel()
        return not pending

    async def _wait(self, cursor: int, lease: Lease | None) -> None:
        while self.last_id <= cursor and not self.closed and not (lease and lease.ended):
            self._waiters += 1
            try:
                await self._wakeup.wait()
            finally:
                self._waiters -= 1

    def _events_after(self, cursor: int) -> list[Event]:
        """From the newest back, since nearly all subscribers are near the end."""
        newer = []
        for event in reversed(self._ring):
            if event.id <= cursor:
                break
            newer.append(event)
        newer.reverse()
        return newer

    def _make_batch(self, newer: Iterable[Event], scope: Scope) -> Batch:
        if self._shared_bytes > _MAX_SHARED_BYTES:
            self._clear_batches()
        wanted: list[Event] = []
        cursor = self.last_id
        size = 0
        for event in newer:
            if scope.includes(event.project):
                wanted.append(event)
                size += len(event.data)
                if size >= self._batch_bytes:
                    cursor = event.id
                    break
        self._shared_bytes += size
        return Batch(wanted, cursor)

    def _clear_batches(self) -> None:
        self._batches.clear()
        self._shared_bytes = 0

    def _wake_throttled(self) -> None:
        """Wake all subscribers now, or a little later if many were woken just before.

        So reports keep most of the event loop's time however many subscribers there are, and the
        subscribers are sent more at once, which costs less.
        """
        if self._scheduled_wakeup is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_wakeup_at:
            self._scheduled_wakeup = loop.call_at(self._next_wakeup_at, self._wake)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._scheduled_wakeup is not None:
            self._scheduled_wakeup.cancel()
            self._scheduled_wakeup = None
        rest = min(self._waiters * _DELAY_PER_SUBSCRIBER, _MAX_DELAY)
        self._next_wakeup_at = asyncio.get_running_loop().time() + rest
        self._wakeup.set()
        self._wakeup.clear()
