"""What a store answers. Times are milliseconds since the epoch, durations milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracker.domain.events import Event


class Recorded(NamedTuple):
    """What became of a report.

    `created`: the task was first seen by it. `duration_ms`: the task's, once it has ended.
    `event` is None when an idempotency key answered with what was recorded earlier.
    """

    event_id: int
    at: int
    created: bool
    duration_ms: int | None
    event: Event | None

    @property
    def answer(self) -> tuple[int, int, bool, int | None]:
        """What an idempotency key remembers of it."""
        return self.event_id, self.at, self.created, self.duration_ms


class Bounds(NamedTuple):
    """The log's ends: `oldest` is the smallest id that may still be there, `last` the newest id
    ever given, `pruned` the newest id that pruning has removed. `gaps`: the first and last of the
    numbers that restores have jumped over."""

    oldest: int
    last: int
    pruned: int
    gaps: tuple[tuple[int, int], ...] = ()

    def reach(self, cursor: int) -> bool:
        """Whether the log has all that ever came after `cursor`: nothing of it was pruned, and
        the cursor is none of another database, or of the one that a restore has replaced."""
        return self.pruned <= cursor <= self.last and not any(
            first <= cursor <= last for first, last in self.gaps
        )


class Page(NamedTuple):
    """Some of the log, oldest first, and where the log began and ended just then.

    `cursor` is where the next page begins; at `bounds.last` there is no more.
    """

    events: Sequence[Event]
    cursor: int
    bounds: Bounds
