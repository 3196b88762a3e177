"""Prunes in the background, by the writer, in transactions so small that no report waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tracker.clock import MS_PER_DAY
from tracker.domain.audit import SERVER, Action, Deed
from tracker.domain.queries import RetentionPolicy
from tracker.errors import Unavailable
from tracker.store.sqlite import audit, pruning
from tracker.store.sqlite.pruning import Pruned, Rule, Step

if TYPE_CHECKING:
    import apsw

    from tracker.clock import Clock
    from tracker.store.sqlite.writer import Group

logger = logging.getLogger(__name__)

# Seconds between two rounds.
_INTERVAL = 60.0

# Entries of the audit log that one transaction deletes.
_AUDIT_BATCH = 200

# Seconds that one transaction prunes for, and rests for the reports between two.
_WORK = 0.01
_PAUSE = 0.04


class Retention:
    """Keeps a database within its limits."""

    def __init__(self, policy: RetentionPolicy, group: Group, clock: Clock) -> None:
        self._policy = policy
        self._group = group
        self._clock = clock

    async def run(self) -> None:
        """Prune now and then, until cancelled."""
        while self._policy.days or self._policy.max_bytes:
            try:
                pruned = await self._round()
            except Unavailable as error:  # the next round tries again
                logger.warning("Old tasks could not be pruned: %s", error)
            else:
                if pruned.tasks:
                    await self._group.submit_low_priority(partial(_note, pruned.tasks))
                    logger.info(
                        "Pruned %d tasks that ended long ago, with their %d events", *pruned
                    )
            await asyncio.sleep(_INTERVAL)

    def expire_audit(self, connection: apsw.Connection, now: int) -> bool:
        """Delete some old entries of the audit log. True when none is left."""
        days = self._policy.audit_days
        before = now - int(days * MS_PER_DAY)
        return not days or audit.delete_old(connection, before, _AUDIT_BATCH)

    async def _round(self) -> Pruned:
        pruned = Pruned()
        if self._policy.days:
            before = self._clock.now_ms() - int(self._policy.days * MS_PER_DAY)
            pruned += await self._prune(Rule(before=before))
        if self._policy.max_bytes:
            pruned += await self._prune(Rule(max_bytes=self._policy.max_bytes))
        released = False
        while not released:
            released = await self._group.submit(_release_space)
            await asyncio.sleep(_PAUSE)
        return pruned

    async def _prune(self, rule: Rule) -> Pruned:
        pruned, step = Pruned(), Step(Pruned(), cursor=0, done=False)
        while not step.done:
            step = await self._group.submit(self._step(rule, step.cursor))
            pruned += step.pruned
            await asyncio.sleep(_PAUSE)
        return pruned

    def _step(self, rule: Rule, cursor: int) -> Callable[[apsw.Connection, int], Step]:
        def job(connection: apsw.Connection, _now: int) -> Step:
            end = self._clock.monotonic() + _WORK
            return pruning.prune_some(
                connection, rule, cursor, should_stop=lambda: self._clock.monotonic() > end
            )

        return job


def _note(tasks: int, connection: apsw.Connection, now: int) -> None:
    audit.count(connection, now, Deed(Action.PRUNED, SERVER, "tasks"), tasks)


def _release_space(connection: apsw.Connection, _now: int) -> bool:
    return pruning.release_space(connection)
