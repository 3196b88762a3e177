"""What is noted for the audit log while requests are answered: grouped, and stored soon after."""

from __future__ import annotations

import math
from typing import Final

from tracker.clock import Clock
from tracker.domain.audit import GROUPED_FOR_MS, Action, Actor, Deed
from tracker.domain.ports import AuditLog

# Addresses that are told of one key, or of all requests without one, while deeds are grouped:
# whoever has many fills neither memory nor log, and hides nothing of others.
_MAX_ADDRESSES: Final = 50
_ELSEWHERE: Final = "further addresses"

_Kind = tuple[Action, Actor, str]


class Audit:
    """Collects deeds; loses the last seconds' if the process is killed. Deeds that change data are
    stored with the change itself, not here."""

    def __init__(self, store: AuditLog, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[_Kind, int] = {}
        self._addresses: dict[str, set[str]] = {}  # by the key's name
        self._forgotten_at = -math.inf

    def note(self, action: Action, actor: Actor, subject: str = "") -> None:
        """This was done."""
        if not self._is_told(actor):
            actor = Actor(actor.name, _ELSEWHERE)
        self._add((action, actor, subject), 1)

    async def save(self) -> None:
        """Store what waits. Raises Unavailable: later calls store it."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self._store.save_deeds([(Deed(*kind), times) for kind, times in waiting.items()])
        except BaseException:
            for kind, times in waiting.items():
                self._add(kind, times)
            raise

    def _is_told(self, actor: Actor) -> bool:
        """Whether the address is one of the first that its key was used from of late."""
        now = self._clock.monotonic()
        if now >= self._forgotten_at:
            self._forgotten_at = now + GROUPED_FOR_MS / 1000
            self._addresses.clear()
        addresses = self._addresses.setdefault(actor.name, set())
        if len(addresses) < _MAX_ADDRESSES:
            addresses.add(actor.address)
        return actor.address in addresses

    def _add(self, kind: _Kind, times: int) -> None:
        self._waiting[kind] = self._waiting.get(kind, 0) + times
