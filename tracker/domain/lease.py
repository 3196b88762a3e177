"""For how long somebody is let in: what he came in by may be revoked, or end by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds. A longer wait is cut in parts: a machine that slept has lost time, which timers do not
# see.
_LOOK_EVERY = 600.0


class Lease:
    """What a request was let in by. Those who go on for longer watch it: it costs nothing until it
    ends, however many watch and whatever they are sent meanwhile."""

    def __init__(self, left: Callable[[], float] | None = None) -> None:
        """`left`: the seconds until it ends by itself; None: it does not."""
        self.over = False
        self._left = left
        self._watchers: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def end(self) -> None:
        """It was revoked, or its time is over: tell all who watch it, once."""
        if self.over:
            return
        self.over = True
        for tell in tuple(self._watchers.values()):
            tell()

    @contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have `tell` called, on the event loop, when it ends; at once if it has ended."""
        watcher = object()
        self._watchers[watcher] = tell
        if self.over:
            tell()
        elif self._timer is None:
            self._look()
        try:
            yield
        finally:
            del self._watchers[watcher]
            if not self._watchers and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _look(self) -> None:
        if self._left is None:
            return
        left = self._left()
        if left <= 0:
            self.end()
        else:
            pause = min(left, _LOOK_EVERY)
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)
