"""A ring of recent events and a wake-up: nothing is queued for anybody, no I/O is done.

Every subscriber keeps a cursor (see `tracker.ws.stream`). The hub answers "what came after it"
from the ring, or says that the log has to be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property

from tracker.domain.events import Event, Notice
from tracker.domain.lease import Lease

# What batches are kept for others at the same place, in bytes of their events.
_SHARED_BYTES = 4 * 1024 * 1024

# With more subscribers than this a wake-up puts off the next, by twice what it takes to send one
# subscriber a batch, in seconds, for each; no longer than the last.
_FEW = 100
_REST = 20e-6
_LONGEST_REST = 0.1


class Batch:
    """Consecutive messages past a cursor, joined once for all who get them."""

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


class Hub:
    """The newest events, bounded in number and bytes."""

    def __init__(
        self,
        *,
        max_events: int = 4096,
        max_bytes: int = 8 * 1024 * 1024,
        batch_bytes: int = 256 * 1024,
    ) -> None:
        """`batch_bytes`: a subscriber is given no more at once than fills these, so that a slow
        one keeps little in memory."""
        self.last_id = 0
        self.closed = False
        self._floor = 0  # every event past it is in the ring
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._batch_bytes = batch_bytes
        self._batches: dict[tuple[int, str | None], Batch] = {}
        self._batches_bytes = 0
        self._news = asyncio.Event()
        self._waiting = 0  # subscribers, for news
        self._planned: asyncio.Handle | None = None  # the next wake-up, if it was put off
        self._rested_at = 0.0  # when the next may be, on the event loop's clock

    def begin_after(self, last_id: int) -> None:
        """What the log holds already, up to `last_id`, is not in the ring."""
        self.last_id = self._floor = last_id

    def publish(self, events: Sequence[Event]) -> None:
        """Take committed events, in the order of the log, and wake everyone who waits."""
        self._ring.extend(events)
        self._bytes += sum(len(event.data) for event in events)
        self.last_id = events[-1].id
        while len(self._ring) > self._max_events or self._bytes > self._max_bytes:
            oldest = self._ring.popleft()
            self._bytes -= len(oldest.data)
            self._floor = oldest.id
        self._forget_batches()
        self._wake_in_turn()

    def forget(self) -> None:
        """Events were deleted: whoever is behind reads the log again."""
        self._ring.clear()
        self._bytes = 0
        self._floor = self.last_id
        self._forget_batches()

    def close(self) -> None:
        """Wake everyone for the last time: the server stops."""
        self.closed = True
        self._wake()

    def after(self, cursor: int, project: str | None) -> Batch | None:
        """What came after `cursor`, for one project or all; None when the log has to be asked:
        the ring does not reach back so far, or nothing as new has been published.

        Subscribers at the same place share one answer.
        """
        if not self._floor <= cursor <= self.last_id:
            return None
        key = (cursor, project)
        batch = self._batches.get(key)
        if batch is None:
            batch = self._cut(self._newer(cursor), project)
            self._batches[key] = batch
        return batch

    def look_up(self) -> None:
        """Wake everyone, soon: a lease that some wait under is over."""
        if self._planned is None:
            self._planned = asyncio.get_running_loop().call_soon(self._wake)

    async def wait(
        self, cursor: int, seconds: float | None = None, lease: Lease | None = None
    ) -> None:
        """Return once there is anything past `cursor`, the hub is closed, the lease is over (and
        `look_up` was called), or time has passed."""
        if seconds is None:
            await self._wait(cursor, lease)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wait(cursor, lease)

    async def round_trip(self, seconds: float = 1.0) -> bool:
        """Whether a wake-up reaches one who waits. The others look, find nothing, and wait on."""
        waiting = asyncio.create_task(self._news.wait())
        await asyncio.sleep(0)
        self._wake()
        _, pending = await asyncio.wait({waiting}, timeout=seconds)
        for task in pending:
            task.cancel()
        return not pending

    async def _wait(self, cursor: int, lease: Lease | None) -> None:
        while self.last_id <= cursor and not self.closed and not (lease and lease.over):
            self._waiting += 1
            try:
                await self._news.wait()
            finally:
                self._waiting -= 1

    def _newer(self, cursor: int) -> list[Event]:
        """From the newest back, since nearly everyone is near the end."""
        newer = []
        for event in reversed(self._ring):
            if event.id <= cursor:
                break
            newer.append(event)
        newer.reverse()
        return newer

    def _cut(self, newer: Iterable[Event], project: str | None) -> Batch:
        if self._batches_bytes > _SHARED_BYTES:
            self._forget_batches()
        wanted: list[Event] = []
        cursor = self.last_id
        size = 0
        for event in newer:
            if project is None or event.project == project:
                wanted.append(event)
                size += len(event.data)
                if size >= self._batch_bytes:
                    cursor = event.id
                    break
        self._batches_bytes += size
        return Batch(wanted, cursor)

    def _forget_batches(self) -> None:
        self._batches.clear()
        self._batches_bytes = 0

    def _wake_in_turn(self) -> None:
        """Wake everyone now; but, soon after many were woken, a little later.

        So reports keep half of the event loop's time however many subscribers there are, and the
        subscribers are sent more at once, which costs less.
        """
        if self._planned is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._rested_at:
            self._planned = loop.call_at(self._rested_at, self._wake)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        rest = min(max(0, self._waiting - _FEW) * _REST, _LONGEST_REST)
        self._rested_at = asyncio.get_running_loop().time() + rest
        self._news.set()
        self._news.clear()
