"""Which connections may stay open when there are many.

Whoever can connect could otherwise take all descriptors, and with them the database's, and all
memory, without a key. So connections without one give way to newer ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress
from itertools import islice, takewhile
from typing import Final, Protocol

from tracker.clock import Clock
from tracker.server.logs import SeldomWarning

logger = logging.getLogger(__name__)

MAX_KEYLESS: Final = 256
"""Connections from one address whose last request, if there was any, had no accepted key. An agent
shows its key at once, a browser soon, whether there is a proxy before them or not; so these are the
clients that connect at this moment, probes, and pages being loaded."""

RESERVED: Final = 64
"""Descriptors that are not for connections: the database's, reports' and logs', and some that are
about to be closed. The server has 25 open when idle."""

# Of all connections, so many of one address may be without a key: one address cannot take the
# places of others.
_KEYLESS_SHARE: Final = 2

# Seconds for a new connection to show its key: if those before it cannot be closed, newcomers would
# otherwise close each other.
_GRACE: Final = 1.0


class Holder(Protocol):
    """What has a connection: the handshake, HTTP, a WebSocket."""

    def is_answering(self) -> bool:
        """Whether a request is being answered."""

    def abort(self) -> None:
        """Close the connection at once."""


class Slot:
    """A connection's place, from accept to its end."""

    __slots__ = ("_slots", "_was_shown", "address", "holder", "is_keyless", "touched_at")

    def __init__(self, slots: Slots, address: str, touched_at: float) -> None:
        self._slots: Slots | None = slots
        self.address = address
        self.touched_at = touched_at
        self.holder: Holder | None = None
        self.is_keyless = True
        """Whether its last request had no accepted key, or it has had none yet."""
        self._was_shown = False  # a key, with the request that is being answered

    def touch(self) -> None:
        """A request was received; others' connections now go before this one."""
        self._was_shown = False
        if self._slots is not None and self.is_keyless:
            self._slots.touch(self)

    def keep(self) -> None:
        """The request had an accepted key: the connection is not closed for others."""
        self._was_shown = True
        if self._slots is not None and self.is_keyless:
            self._slots.forget(self)

    def settle(self) -> None:
        """The request was answered. If it had no accepted key, the connection is like others
        without one: the key of those before it may have been revoked."""
        if self._slots is not None and not (self.is_keyless or self._was_shown):
            self._slots.remember(self)

    def is_answering(self) -> bool:
        """Whether a request on it is being answered."""
        return self.holder is not None and self.holder.is_answering()

    def close(self) -> None:
        """Close the connection, for another one's sake."""
        holder = self.holder
        self.free()
        if holder is not None:
            holder.abort()

    def free(self) -> None:
        """The connection has ended, or is about to."""
        slots, self._slots = self._slots, None
        self.holder = None
        if slots is not None:
            slots.free(self)


class Slots:
    """All connections that are open."""

    def __init__(self, descriptors: int, clock: Clock) -> None:
        """`descriptors`: how many files the process may have open."""
        self._descriptors = descriptors
        self._max = max(descriptors - RESERVED, descriptors // 2)
        self._max_keyless = max(1, min(MAX_KEYLESS, self._max // _KEYLESS_SHARE))
        self.burst = max(1, self._max_keyless // 8)
        """So many connections may be accepted before they are heard."""
        self._open = 0
        # The first has been silent for longest.
        self._keyless: OrderedDict[Slot, None] = OrderedDict()
        self._of_address: dict[str, OrderedDict[Slot, None]] = {}
        self._freed = asyncio.Event()
        self._clock = clock
        self._crowded = SeldomWarning(clock, logger)
        self._exhausted = SeldomWarning(clock, logger)

    def take(self, address: str) -> Slot:
        """A slot for a connection that was accepted. Another is closed if there are too many."""
        same = self._of_address.get(address)
        if same is not None and len(same) >= self._max_keyless:
            self._crowded.log(
                "Over %d connections from %s have sent no request with a key; for each new one "
                "the one that has been idle for longest is closed",
                self._max_keyless,
                address,
            )
            self._close_one(same)
        if self._open >= self._max:
            self.log_exhausted()
            self._close_one(self._keyless)
        slot = Slot(self, address, self._clock.monotonic())
        self._open += 1
        self.remember(slot)
        return slot

    def _close_one(self, slots: OrderedDict[Slot, None]) -> None:
        """The first that is idle, and not just because it is new. If there is none, the first: who
        reads answers byte by byte must not have all newcomers closed."""
        since = self._clock.monotonic() - _GRACE
        older = takewhile(lambda slot: slot.touched_at <= since, islice(slots, MAX_KEYLESS))
        idle = (slot for slot in older if not slot.is_answering())
        slot = next(idle, None) or next(iter(slots), None)
        if slot is not None:
            slot.close()

    def are_taken(self) -> bool:
        """Whether there is none left, nor one to be had from a connection without a key."""
        if self._open < self._max:
            return False
        oldest = next(iter(self._keyless), None)
        return oldest is None or self._clock.monotonic() - oldest.touched_at < _GRACE

    async def wait_for_one(self) -> None:
        """Wait until there is one."""
        while self.are_taken():
            self.log_exhausted()
            self._freed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), _GRACE)

    def log_exhausted(self) -> None:
        """Log that there are no descriptors left, unless that was said just now."""
        self._exhausted.log(
            "No file descriptors are left for more connections: %d are open, `ulimit -n` is %d; "
            "raise it (systemd: LimitNOFILE=). Open connections go on, new ones wait.",
            self._open,
            self._descriptors,
        )

    def touch(self, slot: Slot) -> None:
        """See `Slot.touch`."""
        slot.touched_at = self._clock.monotonic()
        self._keyless.move_to_end(slot)
        self._of_address[slot.address].move_to_end(slot)

    def forget(self, slot: Slot) -> None:
        """See `Slot.keep`."""
        slot.is_keyless = False
        del self._keyless[slot]
        same = self._of_address[slot.address]
        del same[slot]
        if not same:
            del self._of_address[slot.address]

    def remember(self, slot: Slot) -> None:
        """See `Slot.settle`."""
        slot.is_keyless = True
        slot.touched_at = self._clock.monotonic()
        self._keyless[slot] = None
        self._of_address.setdefault(slot.address, OrderedDict())[slot] = None

    def free(self, slot: Slot) -> None:
        """See `Slot.free`."""
        if slot.is_keyless:
            self.forget(slot)
        self._open -= 1
        self._freed.set()
