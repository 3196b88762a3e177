"""A server in this process, with a clock that the test sets, and a real socket."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from tests.support.server import KEY, Server, wait_for
from tracker.app import create_app
from tracker.config.settings import Settings
from tracker.timeouts import DEFAULT_TIMEOUTS, Timeouts


def ms(text: str) -> int:
    """A time like `2024-01-15T10:00:00` in UTC, in milliseconds since the epoch."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


class ManualClock:
    """The time of day stands still until it is set; `monotonic` is real."""

    def __init__(self, start: str = "2024-01-15T10:00:00") -> None:
        self._now = ms(start)

    def now_ms(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()

    def set(self, text: str) -> None:
        self._now = ms(text)

    def advance(self, *, days: int = 0, seconds: float = 0, milliseconds: int = 0) -> None:
        self._now += days * 86_400_000 + round(seconds * 1000) + milliseconds


class DrivenClock(ManualClock):
    """`monotonic` goes on with the time of day too, but while the machine sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def advance(self, *, days: int = 0, seconds: float = 0, milliseconds: int = 0) -> None:
        super().advance(days=days, seconds=seconds, milliseconds=milliseconds)
        self._ahead += days * 86_400 + seconds + milliseconds / 1000

    def sleep(self, *, days: int) -> None:
        """The machine sleeps."""
        super().advance(days=days)


class ClockedServer:
    """Like `tests.support.server.Server`, but in a thread, by default with its database in
    memory."""

    trust = None  # it speaks no TLS
    report = Server.report
    task = Server.task

    def __init__(
        self, database: Path | None = None, timeouts: Timeouts = DEFAULT_TIMEOUTS, **settings: Any
    ) -> None:
        self.clock = ManualClock()
        given = {"api_key": KEY, "rate_limit_webhook": 0, "rate_limit_api": 0} | settings
        self.app = create_app(Settings(**given), database, clock=self.clock, timeouts=timeouts)
        listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(
            uvicorn.Config(self.app.asgi, lifespan="on", log_config=None, access_log=False)
        )
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        wait_for(lambda: self._server.started, what="the server in this process")
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.http = httpx.Client(
            base_url=self.url, headers={"X-API-Key": KEY}, timeout=20, trust_env=False
        )

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that has to succeed."""
        answer = self.http.get(path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def tasks(self) -> int:
        """How many tasks of asyncio there are at the moment."""
        return len(asyncio.all_tasks(self._server.servers[0].get_loop()))

    def stop(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
