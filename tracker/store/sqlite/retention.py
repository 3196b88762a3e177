"""Prunes in the background, by the writer, in transactions so small that no report waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tracker.clock import MS_PER_DAY
from tracker.domain.audit import SERVER, Action, Deed
from tracker.domain.queries import RetentionPolicy
from tracker.errors import Unavailable
from tracker.store.sqlite import audit, message_pruning, pruning
from tracker.store.sqlite.pruning import Pruned, Rule, Step

if TYPE_CHECKING:
    import apsw

    from tracker.clock import Clock
    from tracker.store.sqlite.writer import Group

logger = logging.getLogger(__name__)

Cursor = TypeVar("Cursor")

# Seconds between two rounds.
_INTERVAL = 60.0

# Entries of the audit log that one transaction deletes.
_AUDIT_BATCH = 200

# Seconds that one transaction prunes for, and rests for the reports between two.
_WORK = 0.01
_PAUSE = 0.04


class Retention:
    """Keeps a database within its limits."""

    def __init__(
        self,
        policy: RetentionPolicy,
        group: Group,
        clock: Clock,
        on_pruned: Callable[[], None],
    ) -> None:
        """`on_pruned` is called when events were pruned."""
        self._policy = policy
        self._group = group
        self._clock = clock
        self._on_pruned = on_pruned

    async def run(self) -> None:
        """Prune now and then, until cancelled."""
        policy = self._policy
        while policy.days or policy.max_bytes or policy.message_days:
            try:
                await self._round()
            except Unavailable as error:  # the next round tries again
                logger.warning("Old tasks could not be pruned: %s", error)
            await asyncio.sleep(_INTERVAL)

    def expire_audit(self, connection: apsw.Connection, now: int) -> bool:
        """Delete some old entries of the audit log. True when none is left."""
        days = self._policy.audit_days
        before = now - int(days * MS_PER_DAY)
        return not days or audit.delete_old(connection, before, _AUDIT_BATCH)

    async def _round(self) -> None:
        policy, rules, messages = self._policy, list[Rule](), Pruned()
        if policy.message_days:
            before = self._days_ago(policy.message_days)
            messages = await self._prune(
                partial(message_pruning.prune_some, before), message_pruning.BEGIN
            )
        if policy.days:
            rules.append(Rule(before=self._days_ago(policy.days)))
        if policy.max_bytes:
            rules.append(Rule(max_bytes=policy.max_bytes))
        tasks = Pruned()
        for rule in rules:
            tasks += await self._prune(partial(pruning.prune_some, rule), 0)
        released = not rules and not messages.events  # what else is free is soon written again
        while not released:
            released = await self._group.submit(_release_space)
            await asyncio.sleep(_PAUSE)
        if messages.events:
            await self._note("messages", messages.events)
            logger.info("Pruned %d messages of tasks that ended long ago", messages.events)
        if tasks.tasks:
            await self._note("tasks", tasks.tasks)
            logger.info("Pruned %d tasks that ended long ago, with their %d events", *tasks)

    async def _prune(
        self,
        prune_some: Callable[[apsw.Connection, Cursor, Callable[[], bool]], Step[Cursor]],
        cursor: Cursor,
    ) -> Pruned:
        pruned, done = Pruned(), False
        while not done:
            step = await self._group.submit(self._step(prune_some, cursor))
            pruned, cursor, done = pruned + step.pruned, step.cursor, step.done
            if step.pruned.events:
                self._on_pruned()
            await asyncio.sleep(_PAUSE)
        return pruned

    def _step(
        self,
        prune_some: Callable[[apsw.Connection, Cursor, Callable[[], bool]], Step[Cursor]],
        cursor: Cursor,
    ) -> Callable[[apsw.Connection, int], Step[Cursor]]:
        def job(connection: apsw.Connection, _now: int) -> Step[Cursor]:
            end = self._clock.monotonic() + _WORK
            return prune_some(connection, cursor, lambda: self._clock.monotonic() > end)

        return job

    def _days_ago(self, days: float) -> int:
        return self._clock.now_ms() - int(days * MS_PER_DAY)

    async def _note(self, what: str, count: int) -> None:
        def note(connection: apsw.Connection, now: int) -> None:
            audit.count(connection, now, Deed(Action.PRUNED, SERVER, what), count)

        await self._group.submit_low_priority(note)


def _release_space(connection: apsw.Connection, _now: int) -> bool:
    return pruning.release_space(connection)
