"""When a running task counts as silent (docs/contract.md, "What agents tell beyond the document").

Times are milliseconds since the epoch, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable


class Downtimes:
    """When nobody could have been heard: the server was down, or its machine slept."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        """Begin and end of each, the oldest first; none begins before another's end."""
        self._spans = list(spans)

    def silent_at(self, heard_at: int, stale_after: int) -> int:
        """When a task that was last heard of at `heard_at` is silent, if nothing more comes: after
        `stale_after`, in which downtimes do not count."""
        at = heard_at + stale_after
        for began, ended in self._spans:
            if began >= at:
                break
            at += max(0, ended - max(began, heard_at))
        return at
