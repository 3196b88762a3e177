"""What takes long to make and is the same for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Made in a thread when it is first asked for, and once, however many ask meanwhile."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """Raises what making it raises; the next to ask has it tried again."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make))
        making = self._making
        try:
            return await asyncio.shield(making)
        except BaseException:
            if making.done() and self._making is making:
                self._making = None
            raise
