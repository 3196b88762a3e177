"""Loops whose progress is reported."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

# What a loop or a bar has come to: how many of how many, and in words.
Count = Callable[[float | None, float | None, str | None], None]


class _Counter:
    def __init__(self, rows: Any, total: int | None, every: float, count: Count) -> None:
        self._rows = rows
        self.total = _length(rows) if total is None else total
        self._every = every
        self._count = count

    def _report(self, done: int) -> None:
        words = f"{done}/{self.total}" if self.total else str(done)
        self._count(done, self.total, words)


class Iteration(_Counter, Generic[_T]):
    """Iterates over the same rows."""

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[_T]:
        done, told = 0, 0
        clock, every = time.monotonic, self._every
        due = clock() + every
        try:
            for row in self._rows:
                yield row
                done += 1
                if clock() >= due:
                    self._report(done)
                    told, due = done, clock() + every
        finally:
            if done != told:
                self._report(done)


class AsyncIteration(_Counter, Generic[_T]):
    """Iterates over the same rows, as they come."""

    async def __aiter__(self) -> AsyncIterator[_T]:
        done, told = 0, 0
        clock, every = time.monotonic, self._every
        due = clock() + every
        rows: AsyncIterable[_T] = self._rows
        try:
            async for row in rows:
                yield row
                done += 1
                if clock() >= due:
                    self._report(done)
                    told, due = done, clock() + every
        finally:
            if done != told:
                self._report(done)


def _length(rows: Iterable[Any]) -> int | None:
    """How many there are, if they tell: a bar's `total`, or its length."""
    try:
        total = getattr(rows, "total", None)
        return int(len(rows) if total is None else total)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - theirs
        return None
