"""The open WebSockets, counted: for `/api/websocket/stats` and the limit of each project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tracker.clock import Clock


class Connections:
    """Counts sockets and messages since the server's start."""

    def __init__(self, clock: Clock, per_project: int) -> None:
        """`per_project`: how many sockets a project may have open; 0: any number."""
        self._clock = clock
        self._started = clock.monotonic()
        self._per_project = per_project
        self._by_project: Counter[str] = Counter()
        self._total = 0
        self.sent = 0
        self.received = 0

    def is_full(self, project: str | None) -> bool:
        """Whether the project has reached its limit. Sockets without a project have none."""
        return bool(self._per_project) and (
            project is not None and self._by_project[project] >= self._per_project
        )

    @contextmanager
    def opened(self, project: str | None) -> Iterator[None]:
        """Count one socket while it is open."""
        self._total += 1
        if project is not None:
            self._by_project[project] += 1
        try:
            yield
        finally:
            self._total -= 1
            if project is not None:
                self._by_project[project] -= 1
                self._by_project += Counter()  # drops those at zero

    def stats(self) -> dict[str, Any]:
        """The API document's figures; `uptime` in whole seconds."""
        return {
            "total_connections": self._total,
            "project_connections": dict(self._by_project),
            "uptime": int(self._clock.monotonic() - self._started),
            "messages_sent": self.sent,
            "messages_received": self.received,
        }
