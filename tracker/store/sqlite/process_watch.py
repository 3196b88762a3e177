"""Notices in the background that the process of an agent is gone, which no hook tells."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence, Set
from functools import partial
from typing import TYPE_CHECKING, Final

from tracker.domain.hooks import GoOn, Liveness, Process, Processes
from tracker.errors import Unavailable
from tracker.store.sqlite import hook_processes
from tracker.store.sqlite.hook_processes import Living

if TYPE_CHECKING:
    import apsw

    from tracker.domain.records import Recorded
    from tracker.store.changes import OnWrite
    from tracker.store.sqlite.readers import Readers
    from tracker.store.sqlite.writer import Group

# Seconds between two looks: an end is told within 10.
_INTERVAL: Final = 4.0


class ProcessWatch:
    """Looks at the processes of sessions that live."""

    def __init__(
        self,
        group: Group,
        readers: Readers,
        liveness: Liveness | None,
        on_write: OnWrite,
    ) -> None:
        """`liveness` None: nothing is looked at."""
        self._group = group
        self._readers = readers
        self._liveness = liveness
        self._on_write = on_write

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        liveness = self._liveness
        while liveness is not None and liveness.processes.boot_id:
            with contextlib.suppress(Unavailable):  # the next look tries again
                await self._look(liveness)
            await asyncio.sleep(_INTERVAL)

    def sees(self, process: Process | None) -> bool:
        """Whether that is a process of this machine, and alive."""
        processes = None if self._liveness is None else self._liveness.processes
        return (
            process is not None
            and processes is not None
            and process[:2] == (processes.boot_id, processes.pid_namespace)
            and processes.is_alive(process)
        )

    async def busy(self) -> Set[tuple[str, str]]:
        """Tasks, by project and id, with an open tool call, whose agent's process is alive."""
        if self._liveness is None:
            return frozenset()
        alive, _ = await self._find(self._liveness.processes)
        return {(one.project, task) for one in alive for task in one.busy}

    async def _look(self, liveness: Liveness) -> None:
        alive, gone = await self._find(liveness.processes)
        unseen = [one for one in alive if not one.seen]
        if unseen:
            await self._group.submit_low_priority(partial(_mark_seen, unseen))
        if gone:
            await self._group.submit_events(partial(self._end, gone, liveness.end))

    async def _find(self, processes: Processes) -> tuple[list[Living], list[Living]]:
        """Those that are alive, and those that were."""
        # On a reader's thread: thousands of processes take a tenth of a second.
        return await self._readers.run(partial(_look_at, processes))

    def _end(
        self, gone: Sequence[Living], end: GoOn, connection: apsw.Connection, now: int
    ) -> Sequence[Recorded]:
        return hook_processes.end(connection, now, gone, end, self._on_write)


def _look_at(
    processes: Processes, connection: apsw.Connection
) -> tuple[list[Living], list[Living]]:
    here = (processes.boot_id, processes.pid_namespace, socket.gethostname())
    alive, gone = [], []
    for one in hook_processes.living(connection, *here):
        if one.process.boot_id == processes.boot_id and processes.is_alive(one.process):
            alive.append(one)
        elif one.seen:
            gone.append(one)
    return alive, gone


def _mark_seen(found: Sequence[Living], connection: apsw.Connection, now: int) -> None:
    hook_processes.mark_seen(connection, now, found)
