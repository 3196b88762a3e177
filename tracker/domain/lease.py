"""How long access lasts: a key or session may be revoked, or expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

# Seconds. A longer wait is split: timers do not notice that the machine has slept.
_MAX_TIMER = 600.0


class Lease:
    """The access of one request. Long-lived connections watch it, which costs nothing until it
    ends, however many watch and whatever they are sent meanwhile."""

    def __init__(self, seconds_left: Callable[[], float] | None = None) -> None:
        """`seconds_left`: the seconds until it expires; None: it never does."""
        self.ended = False
        self._seconds_left = seconds_left
        self._watchers: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._children: WeakSet[Lease] = WeakSet()

    def child(self, seconds_left: Callable[[], float]) -> Lease:
        """A lease that ends with this one, or before."""

        def least() -> float:
            own = self._seconds_left
            return seconds_left() if own is None else min(own(), seconds_left())

        lease = Lease(least)
        lease.ended = self.ended
        self._children.add(lease)
        return lease

    def is_over(self) -> bool:
        """Whether it has ended, or would have if anybody watched it."""
        return self.ended or (self._seconds_left is not None and self._seconds_left() <= 0)

    def end(self) -> None:
        """It was revoked or has expired: call all who watch it, once."""
        if self.ended:
            return
        self.ended = True
        for on_end in tuple(self._watchers.values()):
            on_end()
        for child in tuple(self._children):
            child.end()

    @contextmanager
    def watched(self, on_end: Callable[[], None]) -> Iterator[None]:
        """Call `on_end`, on the event loop, when it ends; at once if it has ended."""
        watcher = object()
        self._watchers[watcher] = on_end
        if self.ended:
            on_end()
        elif self._timer is None:
            self._check_time()
        try:
            yield
        finally:
            del self._watchers[watcher]
            if not self._watchers and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def review(self) -> None:
        """What `seconds_left` says has changed."""
        for lease in (self, *self._children):
            if lease._timer is not None:
                lease._timer.cancel()
                lease._check_time()

    def _check_time(self) -> None:
        if self._seconds_left is None:
            return
        seconds_left = self._seconds_left()
        if seconds_left <= 0:
            self.end()
        else:
            pause = min(seconds_left, _MAX_TIMER)
            self._timer = asyncio.get_running_loop().call_later(pause, self._check_time)
