"""Several editors of one file: its hooks, and where its telemetry goes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from tracker.agents.connect.editors import Edited, Editor

Span = tuple[int, int]


class Together:
    """Edits by one after the other; undoes it in the opposite order. The first may make the
    file."""

    def __init__(self, *parts: Editor) -> None:
        self._parts = parts

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return sum(part.count(content) for part in self._parts)

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        return all(part.is_current(content) for part in self._parts)

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`."""
        first, *others = self._parts
        edited = first.add(content)
        for part in others:
            more = part.add(edited.content)
            edited = Edited(
                more.content,
                [*_moved(edited.spans, more.spans), *more.spans],
                [*edited.containers, *more.containers],
            )
        return edited

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:
        """See `Editor`."""
        left: bytes | None = content
        for part in reversed(self._parts):
            if left is not None:
                left = part.remove(left, containers, made=made)
        return left

    def snippet(self) -> str:
        """See `Editor`."""
        return "".join(part.snippet() for part in self._parts)


class TogetherInJson(Together):
    """Of a JSON object, in which each has members of its own."""

    def snippet(self) -> str:
        """See `Editor`."""
        added: dict[str, Any] = {}
        for part in self._parts:
            added |= json.loads(part.snippet() or "{}")
        return json.dumps(added, indent=2, ensure_ascii=False) + "\n"


def _moved(spans: Sequence[Span], inserted: Sequence[Span]) -> list[Span]:
    """Where they are once more was inserted, of which it is known where that is now."""
    points: list[tuple[int, int]] = []  # where it was put, and how much comes up to there
    total = 0
    for start, size in sorted(inserted):
        points.append((start - total, total + size))
        total += size
    found = []
    for start, size in spans:
        end = start + size
        edges = [start, *sorted({at for at, _ in points if start < at < end}), end]
        for left, right in pairwise(edges):
            moved = max((by for at, by in points if at <= left), default=0)
            found.append((left + moved, right - left))
    return found
