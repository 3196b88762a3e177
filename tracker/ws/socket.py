"""The WebSocket endpoint: who may open a socket, what it is sent, how it is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, NoReturn, Protocol, cast

import falcon.asgi
import orjson
from falcon.errors import PayloadTypeError, WebSocketDisconnected

from tracker.clock import Clock
from tracker.domain.events import Notice
from tracker.domain.lease import Lease
from tracker.domain.limits import CloseCode
from tracker.domain.principal import Scope
from tracker.errors import Unavailable
from tracker.timeouts import Timeouts
from tracker.ws.connections import Connections, Traffic
from tracker.ws.hub import Batch
from tracker.ws.stream import Stream

# Where a server that can write ready-made frames offers it, in the ASGI scope's extensions.
FRAMES: Final = "tracker.frames"


class FrameWriter(Protocol):
    """A connection that takes ready-made frames; see `tracker.server.websocket`."""

    def write_frames(self, frames: bytes) -> bool:
        """Send; False if the peer has to catch up before the next. Raises OSError if it is gone."""

    async def drain(self, seconds: float) -> None:
        """Wait until the peer has caught up, or is gone. Raises TimeoutError when it has taken
        nothing for so many seconds."""


class CloseError(Exception):
    """The server closes the socket with this code and this reason, of at most 123 bytes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RefusalError(CloseError):
    """The socket is accepted, so that browsers can see the reason, and closed with this."""


class Admitted(NamedTuple):
    """What a new socket may have, and for how long."""

    project: str | None
    """The project that was asked for, whose sockets this counts among; None: no one, or one that
    does not exist for the client."""
    scope: Scope
    """What of it the client may see."""
    since: int | None
    lease: Lease


class Admission(Protocol):
    """Decides on a new socket."""

    def __call__(self, req: falcon.asgi.Request) -> Admitted:
        """What the request may have. Raises RefusalError."""


class Socket:
    """`/ws`."""

    def __init__(
        self,
        stream: Stream,
        connections: Connections,
        clock: Clock,
        timeouts: Timeouts,
        admit: Admission,
    ) -> None:
        self._stream = stream
        self._connections = connections
        self._clock = clock
        self._timeouts = timeouts
        self._admit = admit

    async def on_get(self, _req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """A plain request. Raises HTTPError, which says what is asked for (RFC 9110, 15.5.22)."""
        raise falcon.HTTPError(
            426,
            description="This address is for WebSockets; for plain HTTP there is "
            "/api/events/stream.",
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        )

    async def on_websocket(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket) -> None:
        """Admit the socket, then send and receive until either ends."""
        try:
            await ws.accept()
            project, scope, since, lease = self._admit(req)
            if self._connections.is_full(project):
                raise RefusalError(
                    CloseCode.TRY_AGAIN_LATER, "the project has all the WebSockets it may have open"
                )
            with self._connections.opened(project) as traffic:
                peer = _Peer(ws, req, traffic, self._timeouts.send)
                async with _until_lease_ends(lease), asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send(peer, scope, since))
                    tasks.create_task(self._receive(peer))
        except* (WebSocketDisconnected, OSError):  # the client is gone
            pass
        except* CloseError as ends:
            end = cast(CloseError, ends.exceptions[0])
            await ws.close(end.code, end.reason)

    async def _send(self, peer: _Peer, scope: Scope, since: int | None) -> NoReturn:
        try:
            async with contextlib.aclosing(self._stream.batches(since, scope)) as batches:
                async for batch in batches:
                    await peer.send(batch)
        except Unavailable:
            raise CloseError(CloseCode.TRY_AGAIN_LATER, "the log cannot be read now") from None
        raise CloseError(CloseCode.GOING_AWAY, "the server is stopping")

    async def _receive(self, peer: _Peer) -> NoReturn:
        while True:
            if await peer.receive_type() == "ping":
                await peer.send(Batch([Notice("pong", b"{}", self._clock.now_ms())], 0))
            await asyncio.sleep(0)  # one message a turn of the loop, however many have come


@contextlib.asynccontextmanager
async def _until_lease_ends(lease: Lease) -> AsyncIterator[None]:
    """Cancel the block when the lease ends. Raises CloseError."""
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(None) as limit:
            with lease.watched(lambda: limit.reschedule(now())):
                yield
    except TimeoutError:
        raise CloseError(CloseCode.UNAUTHORIZED, "unauthorized") from None


class _Peer:
    """The client of one accepted socket."""

    def __init__(
        self,
        ws: falcon.asgi.WebSocket,
        req: falcon.asgi.Request,
        traffic: Traffic,
        timeout: float,
    ) -> None:
        """`timeout`: seconds for which it may take nothing of what it is sent."""
        self._ws = ws
        self._frames: FrameWriter | None = req.scope.get("extensions", {}).get(FRAMES)
        self._traffic = traffic
        self._timeout = timeout

    async def send(self, batch: Batch) -> None:
        """The batch's messages: in one write, if the server offers that. Raises CloseError."""
        try:
            if self._frames is None:
                await self._send_one_by_one(batch)
            elif not self._frames.write_frames(batch.frames):
                await self._frames.drain(self._timeout)
        except TimeoutError:
            raise CloseError(CloseCode.TIMEOUT, "reading too slowly") from None
        self._traffic.sent += len(batch.messages)

    async def _send_one_by_one(self, batch: Batch) -> None:
        for message in batch.messages:
            async with asyncio.timeout(self._timeout):
                await self._ws.send_text(message.message.decode())

    async def receive_type(self) -> str | None:
        """The `type` of the client's next message, if it has one."""
        try:
            text = await self._ws.receive_text()
        except PayloadTypeError:
            text = ""
        self._traffic.received += 1
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return content.get("type") if isinstance(content, dict) else None
