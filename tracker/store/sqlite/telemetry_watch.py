"""Settles what telemetry tells of sessions whose hooks do not tell whose it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from tracker.domain.hooks import GoOn, Liveness
from tracker.domain.records import Recorded
from tracker.errors import TrackerError, Unavailable
from tracker.store.changes import OnWrite, WriteRequest
from tracker.store.sqlite import hooks, reports

if TYPE_CHECKING:
    import apsw

    from tracker.clock import Clock
    from tracker.store.sqlite.readers import Readers
    from tracker.store.sqlite.writer import Group

_DUE: Final = """
  SELECT agent, session, project, state FROM hook_sessions
  WHERE look_at <= ? ORDER BY look_at LIMIT 100
"""
_LEAVE: Final = "UPDATE hook_sessions SET look_at = NULL WHERE agent = ? AND session = ?"

# Seconds between two looks.
_INTERVAL: Final = 1.0


class TelemetryWatch:
    """Looks for what has waited for long enough."""

    def __init__(
        self,
        group: Group,
        readers: Readers,
        clock: Clock,
        liveness: Liveness | None,
        on_write: OnWrite,
    ) -> None:
        """`liveness` None: nothing is looked for."""
        self._group = group
        self._readers = readers
        self._clock = clock
        self._liveness = liveness
        self._on_write = on_write

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while self._liveness is not None:
            with contextlib.suppress(Unavailable):  # the next look tries again
                if await self._readers.run(partial(_is_due, self._clock.now_ms())):
                    settle = partial(self._settle, self._liveness.settle)
                    await self._group.submit_events(settle)
            await asyncio.sleep(_INTERVAL)

    def _settle(self, settle: GoOn, connection: apsw.Connection, now: int) -> Sequence[Recorded]:
        written: list[WriteRequest] = []
        rows: list[Any] = connection.execute(_DUE, (now,)).fetchall()
        for agent, session, project, state in rows:
            try:
                after = settle(agent, session, project, orjson.loads(state), now)
            except TrackerError:  # else it would be looked at for ever
                connection.execute(_LEAVE, (agent, session))
                continue
            written += [WriteRequest(report) for report in after.reports]
            hooks.save(connection, now, agent, session, project, after)
        recorded = reports.record(connection, now, written, on_write=self._on_write)
        return [one for one in recorded if isinstance(one, Recorded)]


def _is_due(now: int, connection: apsw.Connection) -> bool:
    return connection.execute(_DUE, (now,)).fetchone() is not None
