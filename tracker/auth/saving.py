"""Stores, now and then, what requests have left to be stored: no request waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from tracker.errors import Unavailable

logger = logging.getLogger(__name__)

# Seconds.
_INTERVAL: Final = 5.0

Save = Callable[[], Awaitable[None]]


class Saving:
    """Calls each `save` every few seconds, and at the end."""

    def __init__(self, saves: Sequence[Save]) -> None:
        self._saves = saves
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Store what is left, if the database takes it."""
        self._stopping.set()
        if self._task is not None:
            await self._task  # not cancelled: what the store was handed is stored all the same
        await self._save()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _INTERVAL)
            try:
                await self._save()
            except Exception:
                logger.exception("Work in the background has failed.")

    async def _save(self) -> None:
        for save in self._saves:
            with suppress(Unavailable):  # the next round tries again
                await save()
