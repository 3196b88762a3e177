"""WebSocket subscribers that follow, reconnect or never read, and record what they were sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.raw import open_websocket
from tests.support.server import KEY, Server


class Subscriber:
    """Follows the log from its beginning; reconnects with `since` when it is disconnected, and at
    random if `reconnects` is given."""

    def __init__(self, project: str | None, reconnects: random.Random | None) -> None:
        self.project = project
        self.ids: list[int] = []
        self.connections = 0
        self.resyncs = 0  # how often it was too far behind what is pruned
        self.surprises: list[str] = []
        self._reconnects = reconnects

    def settle(self) -> None:
        """Disconnect no more at random: one that does while it reads afresh has to begin again."""
        self._reconnects = None

    @property
    def last(self) -> int:
        """Where it is in the log."""
        return self.ids[-1] if self.ids else 0

    async def follow(self, url: Callable[[], str | None]) -> None:
        """Until cancelled; `url` is where the server is now, or None."""
        while True:
            here = url()
            if here is not None:
                with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                    await self._connect(here.replace("http", "ws", 1))
            await asyncio.sleep(0.02)

    async def _connect(self, url: str) -> None:
        project = "" if self.project is None else f"&project={quote(self.project)}"
        address = f"{url}/ws?api_key={KEY}&since={self.last}{project}"
        async with connect(address, proxy=None, compression=None) as websocket:
            self.connections += 1
            stay = None if self._reconnects is None else self._reconnects.uniform(0, 0.5)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stay):
                    async for message in websocket:
                        self._take(json.loads(message))

    def _take(self, message: dict[str, object]) -> None:
        number = message.get("id")
        if isinstance(number, int):
            self.ids.append(number)
        elif message.get("type") == "resync_required":  # begins afresh, as required
            self.resyncs += 1
            self.ids.clear()
        else:
            self.surprises.append(str(message)[:200])


class Crowd:
    """Subscribers on a loop of their own thread; set `url` to where the server is now."""

    def __init__(self, subscribers: list[Subscriber]) -> None:
        self.url: str | None = None
        self.subscribers = subscribers
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self._everyone: asyncio.Task[None]

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection."""
        self._loop.call_soon_threadsafe(self._everyone.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def behind(self, ids: dict[str | None, list[int]]) -> list[Subscriber]:
        """Those who have not been sent the end of their log; `ids` by project."""
        return [
            subscriber
            for subscriber in self.subscribers
            if (wanted := ids[subscriber.project]) and subscriber.last < wanted[-1]
        ]

    def losses(self, ids: dict[str | None, list[int]]) -> list[str]:
        """One line for each who was not sent exactly the log."""
        return [
            f"{subscriber.project}: {len(subscriber.ids)} of {len(ids[subscriber.project])} events"
            f" over {subscriber.connections} connections {subscriber.surprises[:3]}"
            for subscriber in self.subscribers
            if subscriber.ids != ids[subscriber.project]
            or subscriber.surprises
            or subscriber.resyncs
        ]

    def _run(self) -> None:
        async def everyone() -> None:
            self._everyone = asyncio.current_task()  # type: ignore[assignment]
            await asyncio.gather(
                *(subscriber.follow(lambda: self.url) for subscriber in self.subscribers)
            )

        with contextlib.suppress(asyncio.CancelledError), asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(everyone())


@contextlib.contextmanager
def never_reading(server: Server, count: int, query: str = "&since=0") -> Iterator[None]:
    """Subscribers who never read what they are sent."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(contextlib.closing(open_websocket(server, query)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        yield
