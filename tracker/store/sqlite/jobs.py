"""What the store does between reports: the search index, retention, noticing what was pruned."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import apsw

from tracker.errors import Unavailable
from tracker.store.sqlite import events, idempotency_keys, search

if TYPE_CHECKING:
    from tracker.store.sqlite.readers import Readers
    from tracker.store.sqlite.retention import Retention
    from tracker.store.sqlite.writer import Group

logger = logging.getLogger(__name__)

# Search follows the log in rounds, this many seconds apart and at least this many events at once:
# few would have every report's commit carry pages of the index, many would hold reports up.
_SEARCH_EVERY = 0.25
_INDEXED_AT_ONCE = 100

# The index by project follows that a little at a time, with rests (seconds), and not while more
# events than these come in a round, some 2,000 a second: then the processor is for reports.
_INDEXED_BY_PROJECT_AT_ONCE = 200
_REST_OF_INDEXING = 0.005
_FEW_EVENTS = 500

# Idempotency keys that are past their lifetime: how many go in one transaction (a millisecond or
# two), and the seconds between two, and between two rounds.
_FORGOTTEN_AT_ONCE = 200
_REST_OF_FORGETTING = 0.05
_FORGET_EVERY = 60.0

# Seconds. Until then a subscriber may still be sent what was pruned.
_PRUNING_NOTICED_WITHIN = 1.0


class Jobs:
    """Tasks beside the reports. A fault of ours in one is logged, and ends that one alone."""

    def __init__(
        self,
        group: Group,
        readers: Readers,
        retention: Retention,
        on_pruned: Callable[[], None],
        newest: int,
    ) -> None:
        """`on_pruned` hears when events have been pruned, by whomever. `newest`: the log's last
        event."""
        self._group = group
        self._readers = readers
        self._retention = retention
        self._on_pruned = on_pruned
        self._newest = newest
        self._unsearched = asyncio.Event()
        self._unsearched.set()
        self._searched = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work for the running event loop."""
        work = (
            self._follow_the_log(),
            self._follow_by_project(),
            self._notice_pruning(),
            self._forget_keys(),
            self._retention.run(),
        )
        self._tasks = [asyncio.create_task(one) for one in work]
        for task in self._tasks:
            task.add_done_callback(_tell_of_a_fault)

    async def stop(self) -> None:
        """Leave what is under way where it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def events_came(self, newest: int) -> None:
        """There is something to index."""
        self._newest = newest
        self._unsearched.set()

    async def _follow_the_log(self) -> None:
        before = self._newest
        while True:
            await self._unsearched.wait()
            self._unsearched.clear()
            await asyncio.sleep(_SEARCH_EVERY)
            upto = seen = self._newest  # what comes now is the next round's
            few = upto - before <= _FEW_EVENTS
            before = upto
            limit = _INDEXED_AT_ONCE
            try:
                while not await self._group.submit_low_priority(partial(_index_some, upto, limit)):
                    came, seen = self._newest - seen, self._newest
                    limit = max(_INDEXED_AT_ONCE, 3 * came)  # or it would never catch up
            except Unavailable:  # the next round tries again
                self._unsearched.set()
            else:
                (self._searched if few else self._unsearched).set()

    async def _follow_by_project(self) -> None:
        while True:
            await self._searched.wait()
            self._searched.clear()
            begun = self._newest
            try:
                while not await self._group.submit_low_priority(_index_some_by_project):
                    await asyncio.sleep(_REST_OF_INDEXING)
                    if self._newest - begun > _FEW_EVENTS:  # a later round wakes this again
                        break
            except Unavailable:
                self._unsearched.set()

    async def _notice_pruning(self) -> None:
        """By retention, or by a command beside the server."""
        known = 0
        while True:
            await asyncio.sleep(_PRUNING_NOTICED_WITHIN)
            with contextlib.suppress(Unavailable):
                pruned = (await self._readers.run(events.bounds)).pruned
                if pruned > known:
                    known = pruned
                    self._on_pruned()

    async def _forget_keys(self) -> None:
        """Those of `Idempotency-Key` that are past their lifetime, a few in each transaction."""
        while True:
            with contextlib.suppress(Unavailable):  # the next round tries again
                done = False
                while not done:
                    done = await self._group.submit_low_priority(_forget_some_keys)
                    await asyncio.sleep(_REST_OF_FORGETTING)
            await asyncio.sleep(_FORGET_EVERY)


def _forget_some_keys(connection: apsw.Connection, now: int) -> bool:
    return idempotency_keys.forget_some(connection, now, _FORGOTTEN_AT_ONCE)


def _tell_of_a_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("Work in the background has failed.", exc_info=task.exception())


def _index_some(upto: int, limit: int, connection: apsw.Connection, _now: int) -> bool:
    with _telling():
        return search.index_some(connection, upto, limit)


def _index_some_by_project(connection: apsw.Connection, _now: int) -> bool:
    with _telling():
        return search.index_some_by_project(connection, _INDEXED_BY_PROJECT_AT_ONCE)


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except apsw.CorruptError as error:  # which would say that no report can be written either
        raise RuntimeError(
            "The search index is broken: searches miss what comes now. Make a new database of this "
            "one, by tracker export and tracker import."
        ) from error
