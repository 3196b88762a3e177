"""The open WebSockets, counted: for `/api/websocket/stats` and the limit of each project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tracker.clock import Clock
from tracker.domain.principal import Scope


class Traffic:
    """Sockets, and messages over them."""

    def __init__(self) -> None:
        self.sockets = 0
        self.sent = 0
        self.received = 0

    def add(self, other: Traffic) -> None:
        """Add the other's messages."""
        self.sent += other.sent
        self.received += other.received


class Connections:
    """Counts sockets and messages since the server's start."""

    def __init__(self, clock: Clock, per_project: int) -> None:
        """`per_project`: how many sockets a project may have open; 0: any number."""
        self._clock = clock
        self._started = clock.monotonic()
        self._per_project = per_project
        # By what was asked for; None: all projects. Those without a socket are in `_closed`.
        self._open: dict[str | None, Traffic] = {}
        self._closed = Traffic()

    def is_full(self, project: str | None) -> bool:
        """Whether the project has reached its limit. Sockets without a project have none."""
        traffic = self._open.get(project)
        return bool(self._per_project) and (
            project is not None and traffic is not None and traffic.sockets >= self._per_project
        )

    @contextmanager
    def opened(self, project: str | None) -> Iterator[Traffic]:
        """Count one socket while it is open; its messages are to be counted in what this gives."""
        traffic = self._open.setdefault(project, Traffic())
        traffic.sockets += 1
        try:
            yield traffic
        finally:
            traffic.sockets -= 1
            if not traffic.sockets:
                self._closed.add(self._open.pop(project))

    def stats(self, scope: Scope) -> dict[str, Any]:
        """The API document's figures; `uptime` in whole seconds. For some projects only: of the
        sockets that are open for them now."""
        total = Traffic()
        if scope.projects is None:
            total.add(self._closed)
        projects = {}
        for project, traffic in self._open.items():
            if project is None and scope.projects is None:
                total.sockets += traffic.sockets
                total.add(traffic)
            elif project is not None and scope.includes(project):
                projects[project] = traffic.sockets
                total.sockets += traffic.sockets
                total.add(traffic)
        return {
            "total_connections": total.sockets,
            "project_connections": projects,
            "uptime": int(self._clock.monotonic() - self._started),
            "messages_sent": total.sent,
            "messages_received": total.received,
        }
