"""Cursors over the event log: replay, then live, by the same code for every consumer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson

from tracker.clock import Clock
from tracker.domain.events import Notice
from tracker.domain.lease import Lease
from tracker.domain.ports import EventLog
from tracker.domain.principal import Scope
from tracker.domain.records import Bounds
from tracker.ws.hub import Batch, Hub


class Stream:
    """Makes cursors for WebSocket and SSE."""

    def __init__(self, hub: Hub, log: EventLog, clock: Clock) -> None:
        self._hub = hub
        self._log = log
        self._clock = clock

    async def batches(
        self,
        after: int | None,
        scope: Scope,
        heartbeat: float | None = None,
        lease: Lease | None = None,
    ) -> AsyncGenerator[Batch, None]:
        """The scope's events after `after`, oldest first, then new ones, until the hub closes or
        the lease is over.

        `after` None: from now on. There is no gap and no duplicate: the cursor passes each event
        once, whether it is read from the ring or the log. Where some events were pruned, or
        `after` is from another database, a notice comes first, then what is left of the log from
        its beginning. An empty batch follows `heartbeat` seconds without messages.

        Raises:
            Unavailable: the log cannot be read now.
        """
        lease = lease or Lease()
        cursor = self._hub.last_id if after is None else after
        pruned = -1  # up to which id the reader knows what was pruned
        checked = after is None  # the ring does not know what another process has pruned
        due = self._due(heartbeat)
        with lease.watched(self._hub.wake_soon):
            while not self._hub.closed and not lease.ended:
                batch = self._hub.after(cursor, scope) if checked else None
                if batch is None:
                    page = await self._log.page(scope, cursor)
                    checked = True
                    if pruned == page.bounds.pruned or page.bounds.covers(max(cursor, pruned)):
                        batch = Batch(page.events, page.cursor)
                    else:
                        pruned = page.bounds.pruned
                        batch = self._resync(page.bounds)
                cursor = batch.cursor
                if batch.messages or (due is not None and self._clock.monotonic() >= due):
                    yield batch
                    due = self._due(heartbeat)
                await self._hub.wait(cursor, due and due - self._clock.monotonic(), lease)

    def _due(self, heartbeat: float | None) -> float | None:
        return None if heartbeat is None else self._clock.monotonic() + heartbeat

    def _resync(self, bounds: Bounds) -> Batch:
        """Has the reader read the state afresh, and goes back to the log's beginning."""
        data = orjson.dumps({"oldest_id": bounds.oldest, "last_id": bounds.last})
        notice = Notice("resync_required", data, self._clock.now_ms(), cursor=0)
        return Batch([notice], cursor=0)
