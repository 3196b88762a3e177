"""Notices in the background that running tasks are no longer heard of.

Which tasks run, and until when that is no wonder, is kept in memory and follows what is recorded;
only of a task that may be silent the row is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tracker.domain.tasks import Status
from tracker.errors import Unavailable
from tracker.store.sqlite import silence
from tracker.store.sqlite.silence import Busy, Silence

if TYPE_CHECKING:
    import apsw

    from tracker.clock import Clock
    from tracker.domain.records import Recorded
    from tracker.store.changes import Changes
    from tracker.store.sqlite.readers import Readers
    from tracker.store.sqlite.writer import Group

T = TypeVar("T")

# Seconds between two looks; fewer where silence begins after few.
_INTERVAL = 5.0
_MIN_INTERVAL = 0.2

# No time, in milliseconds: later than all.
_NEVER = 2**62

# Tasks that one read or one transaction looks at.
_BATCH = 256

# Seconds between two notes that the server is alive, while tasks run.
_ALIVE_INTERVAL = 30.0

# Seconds that a look may be late before it counts as a downtime: the machine slept, the process was
# stopped, or the clock was put forward.
_MAX_DELAY = 30.0


class SilenceWatch:
    """Tells of tasks that have become silent."""

    def __init__(
        self,
        group: Group,
        readers: Readers,
        clock: Clock,
        stale_after_ms: int,
        last_sign: int,
        busy: Callable[[], Awaitable[Busy]],
    ) -> None:
        """`stale_after_ms`, and what `busy` finds: see `Silence`; `last_sign`: see
        `silence.last_sign`, before this start."""
        self._busy = busy
        self._group = group
        self._readers = readers
        self._clock = clock
        self._stale_after_ms = stale_after_ms
        self._last_sign = last_sign
        self._interval = _INTERVAL
        if stale_after_ms:
            self._interval = min(_INTERVAL, max(_MIN_INTERVAL, stale_after_ms / 4000))
        # When each task is silent at the earliest, if nothing more comes: downtimes may put it off.
        self._uncommitted: dict[int, int] = {}
        self._deadlines: dict[int, int] = {}
        self._rules: Silence | None = None
        self._seen = _Instant(0, 0, 0)
        self._noted_at = clock.monotonic()
        # When something was recorded last, and, once the database has refused what the watch had to
        # write, when that was before: who reports in vain is not silent.
        self._recorded_at = clock.now_ms()
        self._deaf_since: int | None = None

    def saved(self, changes: Changes) -> None:
        """These tasks have reported; `group_done` follows. Called on the writer's thread."""
        stale_after = self._stale_after_ms
        self._uncommitted.update({
            change.id: task.reported_at + (task.stale_after_ms or stale_after or _NEVER)
            if task is not None and task.status is Status.RUNNING
            else _NEVER
            for change in changes.values()
            for task in (change.after,)
        })  # fmt: skip

    def group_done(self, *, committed: bool) -> None:
        """What was saved can be read now, or was refused. Between groups, when the writer waits."""
        if committed:
            self._deadlines.update(self._uncommitted)
            self._recorded_at = self._clock.now_ms()
        self._uncommitted.clear()

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            with contextlib.suppress(Unavailable):  # the next look tries again
                await self._look()
            await asyncio.sleep(self._interval)

    async def stop(self) -> None:
        """Note until when the server has listened. `run` has ended."""
        if self._rules is not None:
            with contextlib.suppress(Unavailable):
                await self._group.submit(silence.stay_alive)

    async def _look(self) -> None:
        rules = await self._current_rules()
        now = self._seen.now_ms  # downtimes are known until then
        self._deadlines = {id_: at for id_, at in self._deadlines.items() if at < _NEVER}
        due = [id_ for id_, at in self._deadlines.items() if at <= now]
        busy = await self._busy() if due else frozenset()
        for ids in _batches(due):
            await self._look_at(rules, ids, now, busy)
        if self._deadlines and self._clock.monotonic() - self._noted_at >= _ALIVE_INTERVAL:
            self._noted_at = self._clock.monotonic()
            await self._write(lambda: self._group.submit_low_priority(silence.stay_alive))

    async def _look_at(self, rules: Silence, ids: Sequence[int], now: int, busy: Busy) -> None:
        deadlines = await self._readers.run(
            lambda connection: rules.deadlines(connection, ids, now, busy)
        )
        silent = [id_ for id_, at in deadlines.items() if at <= now]
        if silent:
            tell = partial(_tell, rules, silent, now)
            await self._write(lambda: self._group.submit_events(tell))
        for id_ in ids:
            if self._deadlines.get(id_, _NEVER) <= now:  # or it has reported meanwhile
                self._deadlines[id_] = _NEVER if id_ in silent else deadlines.get(id_, _NEVER)

    async def _write(self, submit: Callable[[], asyncio.Future[T]]) -> None:
        try:
            await submit()
        except Unavailable:
            if self._deaf_since is None:
                self._deaf_since = self._recorded_at
            raise
        self._recorded_at = self._clock.now_ms()

    async def _current_rules(self) -> Silence:
        """By all that is known of downtimes. Raises Unavailable: until it is known, everybody would
        seem silent."""
        seen = _Instant(
            asyncio.get_running_loop().time(), self._clock.monotonic(), self._clock.now_ms()
        )
        overslept = self._seen.is_long_before(seen, self._interval + _MAX_DELAY)
        if self._rules is None:
            downtimes = await self._group.submit(partial(silence.wake, self._last_sign))
            running = await self._readers.run(silence.running)
            self._deadlines = {**dict.fromkeys(running, 0), **self._deadlines}
        elif overslept or self._deaf_since is not None:
            began = self._seen.now_ms if self._deaf_since is None else self._deaf_since
            downtimes = await self._group.submit(partial(silence.wake, began))
            self._deadlines = dict.fromkeys(self._deadlines, 0)
        else:
            self._seen = seen
            return self._rules
        self._seen = seen
        self._recorded_at, self._deaf_since = self._clock.now_ms(), None
        self._rules = Silence(self._stale_after_ms, downtimes)
        return self._rules


class _Instant(NamedTuple):
    """Seconds of the event loop, which knows of a stopped process, and of the clock's monotonic
    time, which does not go on while the machine sleeps; and the time of day."""

    loop: float
    monotonic: float
    now_ms: int

    def is_long_before(self, other: _Instant, most: float) -> bool:
        """Whether more than `most` seconds lie between, or the time of day says so."""
        elapsed = other.monotonic - self.monotonic
        slept = (other.now_ms - self.now_ms) / 1000 - elapsed
        return max(other.loop - self.loop, slept) > most


def _tell(
    rules: Silence, ids: Sequence[int], at: int, connection: apsw.Connection, now: int
) -> Sequence[Recorded]:
    return rules.tell(connection, now, ids, at)


def _batches(ids: list[int]) -> list[list[int]]:
    rest = iter(ids)
    return list(iter(lambda: list(islice(rest, _BATCH)), []))
