"""What is noted for the audit log while requests are answered: grouped, and stored soon after."""

from __future__ import annotations

from typing import Final

from tracker.domain.audit import Action, Actor, Deed
from tracker.domain.ports import AuditLog

# Kinds of deeds that wait to be stored: whoever makes requests from many addresses fills neither
# the memory nor the log.
_MAX_WAITING: Final = 100
_ELSEWHERE: Final = "further addresses"


class Audit:
    """Collects deeds; loses the last seconds' if the process is killed. Deeds that change data are
    stored with the change itself, not here."""

    def __init__(self, store: AuditLog) -> None:
        self._store = store
        self._waiting: dict[tuple[Action, Actor, str], int] = {}

    def note(self, action: Action, actor: Actor, subject: str = "", times: int = 1) -> None:
        """This was done."""
        deed = (action, actor, subject)
        if deed not in self._waiting and len(self._waiting) >= _MAX_WAITING:
            deed = (action, Actor("", _ELSEWHERE), "")
        self._waiting[deed] = self._waiting.get(deed, 0) + times

    async def save(self) -> None:
        """Store what waits. Raises Unavailable: later calls store it."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self._store.save_deeds([(Deed(*deed), times) for deed, times in waiting.items()])
        except BaseException:
            for deed, times in waiting.items():
                self.note(*deed, times=times)
            raise
