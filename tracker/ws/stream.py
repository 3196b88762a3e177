"""Cursors over the event log: replay, then live, by the same code for every consumer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import orjson

from tracker.clock import Clock, iso
from tracker.wire import Event, message
from tracker.ws.hub import Batch, Hub


class LogBounds(Protocol):
    """The log's ends, as ids."""

    @property
    def oldest(self) -> int:
        """The oldest event that may still be there."""

    @property
    def last(self) -> int:
        """The newest id ever given."""

    @property
    def pruned(self) -> int:
        """The newest id that pruning has removed; 0: none."""


class LogPage(Protocol):
    """Some of the log."""

    @property
    def events(self) -> Sequence[Event]:
        """Oldest first."""

    @property
    def complete(self) -> bool:
        """Whether that was all that was asked for."""


class Log(Protocol):
    """The durable log, as far as a cursor needs it."""

    async def page(self, after: int, upto: int, project: str | None) -> LogPage:
        """The first of the events with `after` < id <= `upto`."""

    async def bounds(self) -> LogBounds:
        """Where the log begins and ends."""


class Stream:
    """Makes cursors for WebSocket and SSE."""

    def __init__(self, hub: Hub, log: Log, clock: Clock) -> None:
        self._hub = hub
        self._log = log
        self._clock = clock

    async def resync_notice(self, since: int) -> bytes | None:
        """The message for a client whose cursor the log cannot honour; None if it can.

        That is one from before what was pruned, and one past the end: the number is from another
        database. The client has to read the state afresh, and may then follow the log from
        the beginning that is left.
        """
        bounds = await self._log.bounds()
        if bounds.pruned <= since <= bounds.last:
            return None
        data = orjson.dumps({"oldest_id": bounds.oldest, "last_id": bounds.last})
        return message("resync_required", data, iso(self._clock.now_ms()))

    async def batches(
        self, after: int | None, project: str | None, heartbeat: float | None = None
    ) -> AsyncGenerator[Batch, None]:
        """Everything after event `after`, oldest first, then what comes, until the hub closes.

        `after` None: from now on. Neither gap nor duplicate: an event is passed by moving the
        cursor over it, wherever it is read from. A batch is empty when nothing has come for
        `heartbeat` seconds.
        """
        cursor = self._hub.last_id if after is None else after
        while not self._hub.closed:
            batch = self._hub.after(cursor, project) or await self._from_log(cursor, project)
            cursor = batch.cursor
            if batch.events or (heartbeat and self._hub.last_id <= cursor):
                yield batch
            await self._hub.wait(cursor, heartbeat)

    async def _from_log(self, cursor: int, project: str | None) -> Batch:
        upto = self._hub.last_id
        page = await self._log.page(cursor, upto, project)
        return Batch(page.events, upto if page.complete else page.events[-1].id)
