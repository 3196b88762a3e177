"""Time, as the rest of the program gets it: injected, UTC, whole milliseconds."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

MS_PER_DAY = 86_400_000


class Clock(Protocol):
    """Where time comes from. Tests pass their own."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC. May step back with the machine's clock."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; never steps back. For waiting and limits."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


_EPOCH = datetime(1970, 1, 1)


@lru_cache(maxsize=256)
def iso(ms: int) -> str:
    """`2024-01-15T10:00:00.000Z` (docs/contract.md, "Time and names")."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds") + "Z"


def iso_date(day: int) -> str:
    """The date of a day counted from the Unix epoch: `2024-01-15`."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
