"""The WebSocket endpoint: who may open one, what it is sent, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

import falcon.asgi
import orjson
from falcon.errors import PayloadTypeError, WebSocketDisconnected

from tracker.clock import Clock, iso
from tracker.errors import TrackerError
from tracker.wire import message
from tracker.ws.connections import Connections
from tracker.ws.hub import Batch
from tracker.ws.stream import Stream

# Where a server that can write ready-made frames offers it, in the ASGI scope's extensions.
FRAMES: Final = "tracker.frames"

# Seconds that one send may stall before the socket is closed (the contract's "Events").
SEND_TIMEOUT: Final = 30.0


class CloseCode:
    """Why the server closes. 3xxx: IANA's registry of WebSocket close codes; else RFC 6455."""

    GOING_AWAY: Final = 1001
    POLICY_VIOLATION: Final = 1008
    TRY_AGAIN_LATER: Final = 1013
    UNAUTHORIZED: Final = 3000
    FORBIDDEN: Final = 3003
    TIMEOUT: Final = 3008


class FrameWriter(Protocol):
    """A connection that takes whole frames, many at once; see `tracker.protocols`."""

    def write_frames(self, frames: bytes) -> bool:
        """Send; False if the peer has to catch up before the next."""

    async def drain(self) -> None:
        """Wait until the peer has caught up."""

    def fail(self, code: int, reason: str) -> None:
        """Close although the peer does not read."""


class RefusalError(Exception):
    """The socket is accepted, so that browsers can see why, and closed with this."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Admission(Protocol):
    """Decides on a new socket."""

    def __call__(self, req: falcon.asgi.Request) -> tuple[str | None, int | None]:
        """The project and the cursor asked for. Raises RefusalError."""


class Socket:
    """`/ws`."""

    def __init__(
        self, stream: Stream, connections: Connections, clock: Clock, admit: Admission
    ) -> None:
        self._stream = stream
        self._connections = connections
        self._clock = clock
        self._admit = admit

    async def on_websocket(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket) -> None:
        """Admit the socket, then send and receive until one of the two ends."""
        with contextlib.suppress(WebSocketDisconnected):
            await ws.accept()
            try:
                project, since = self._admit(req)
            except RefusalError as refusal:
                await ws.close(refusal.code, refusal.reason)
                return
            if self._connections.full(project):
                await ws.close(
                    CloseCode.TRY_AGAIN_LATER, "the project has all the WebSockets it may have open"
                )
                return
            with self._connections.opened(project):
                await self._converse(_Sender(ws, req, self._connections), project, since)

    async def _converse(self, sender: _Sender, project: str | None, since: int | None) -> None:
        tasks = {
            asyncio.create_task(self._send(sender, project, since)),
            asyncio.create_task(self._receive(sender)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            gone = isinstance(outcome, WebSocketDisconnected | OSError)  # the client, that is
            if isinstance(outcome, Exception) and not gone:
                raise outcome

    async def _send(self, sender: _Sender, project: str | None, since: int | None) -> None:
        try:
            if since is not None:
                notice = await self._stream.resync_notice(since)
                if notice is not None:
                    await sender.send(notice)
                    since = 0
            async with contextlib.aclosing(self._stream.batches(since, project)) as batches:
                async for batch in batches:
                    await sender.send_batch(batch)
        except TimeoutError:
            sender.fail(CloseCode.TIMEOUT, "reading too slowly")
        except TrackerError as error:
            await sender.close(CloseCode.TRY_AGAIN_LATER, error.message[:120])
        else:
            await sender.close(CloseCode.GOING_AWAY, "the server is stopping")

    async def _receive(self, sender: _Sender) -> None:
        pong = orjson.dumps({})
        while True:
            if await sender.receive_type() == "ping":
                with contextlib.suppress(TimeoutError):  # `_send` closes a stalled socket
                    await sender.send(message("pong", pong, iso(self._clock.now_ms())))


class _Sender:
    """One accepted socket, with the time limit on sends; joins frames where the server can."""

    def __init__(
        self, ws: falcon.asgi.WebSocket, req: falcon.asgi.Request, connections: Connections
    ) -> None:
        self._ws = ws
        self._frames: FrameWriter | None = req.scope.get("extensions", {}).get(FRAMES)
        self._connections = connections

    async def send(self, payload: bytes) -> None:
        """One message. Raises TimeoutError, WebSocketDisconnected."""
        async with asyncio.timeout(SEND_TIMEOUT):
            await self._ws.send_text(payload.decode())
        self._connections.sent += 1

    async def send_batch(self, batch: Batch) -> None:
        """A batch's messages, in one write if the server offers that."""
        if self._frames is None:
            for event in batch.events:
                await self.send(event.message)
            return
        if not self._frames.write_frames(batch.frames):
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._frames.drain()
        self._connections.sent += len(batch.events)

    async def receive_type(self) -> str | None:
        """The `type` of the client's next message, if it has one."""
        try:
            text = await self._ws.receive_text()
        except PayloadTypeError:
            text = ""
        self._connections.received += 1
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return content.get("type") if isinstance(content, dict) else None

    async def close(self, code: int, reason: str) -> None:
        """Close in the usual way."""
        await self._ws.close(code, reason)

    def fail(self, code: int, reason: str) -> None:
        """Close although the peer does not read."""
        if self._frames is not None:
            self._frames.fail(code, reason)
