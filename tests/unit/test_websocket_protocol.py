"""What a WebSocket's connection does at moments that no client can be made to hit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.support.loop import on_loop
from tracker.clock import SystemClock
from tracker.server.slots import Slots
from tracker.server.websocket import WebSocketProtocol
from tracker.timeouts import DEFAULT_TIMEOUTS
from tracker.ws.socket import FRAMES

GRACE = 0.01


class Peer(asyncio.Transport):
    """The other end: takes what is written, or lets it lie while `reads` is False."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self.reads = True
        self.unread: Callable[[], int] = lambda: 0
        self.written = b""
        self.closing = False
        self.ended = asyncio.get_running_loop().create_future()
        config = uvicorn.Config(
            app, ws_max_size=1000, ws_per_message_deflate=False, log_config=None
        )
        config.load()
        self.protocol = WebSocketProtocol(
            config,
            ServerState(),
            {},
            clock=SystemClock(),
            timeouts=DEFAULT_TIMEOUTS._replace(close=GRACE),
            slot=Slots(100, SystemClock()).take("127.0.0.1"),
        )
        self.protocol.connection_made(self)
        self.client = ClientProtocol(parse_uri("ws://localhost/ws"))
        self.client.send_request(self.client.connect())

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        if not self.reads:
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.unread()

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closing = True
        if self.reads:
            self.abort()

    def abort(self) -> None:
        self.closing = True
        if not self.ended.done():
            self.ended.set_result(None)
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def say(self) -> None:
        """Send what the client has to send."""
        self.protocol.data_received(b"".join(self.client.data_to_send()))

    def send(self, opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> None:
        """Send one frame."""
        self.protocol.data_received(Frame(opcode, data, fin).serialize(mask=True))

    def received(self) -> list[Any]:
        """What came since the last time."""
        data, self.written = self.written, b""
        self.client.receive_data(data)
        return self.client.events_received()


class Application:
    """Accepts, hears until the disconnect, and is not done before the test lets it be."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.begun = asyncio.Event()
        self.told = asyncio.Event()  # of the disconnect
        self.accepts = True

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        self.scope, self.send = scope, send
        await receive()
        if self.accepts:
            await send({"type": "websocket.accept"})
        self.begun.set()
        while not self.heard or self.heard[-1]["type"] != "websocket.disconnect":
            self.heard.append(await receive())
        self.told.set()


@asynccontextmanager
async def open_socket() -> AsyncIterator[tuple[Peer, Application]]:
    """The two sides of one, after the handshake."""
    application = Application()
    peer = Peer(application)
    peer.say()
    await application.begun.wait()
    peer.received()
    yield peer, application
    peer.abort()
    await application.told.wait()


async def never_reads_again(peer: Peer, application: Application) -> None:
    peer.reads = False
    assert application.scope["extensions"][FRAMES].write_frames(b"a frame") is False


@on_loop
async def test_frames_are_written_as_they_are() -> None:
    async with open_socket() as (peer, application):
        assert application.scope["extensions"][FRAMES].write_frames(b"\x81\x01x") is True
        (frame,) = peer.received()
        assert bytes(frame.data) == b"x"


@on_loop
async def test_drain_waits_while_the_peer_takes_something() -> None:
    async with open_socket() as (peer, application):
        await never_reads_again(peer, application)
        left = iter(range(9, 0, -1))

        def look() -> int:
            size = next(left)
            if size < 3:
                peer.protocol.resume_writing()
            return size

        peer.unread = look
        await peer.protocol.drain(seconds=GRACE)
        assert next(left) == 1


@on_loop
async def test_drain_gives_up_when_the_peer_takes_nothing() -> None:
    async with open_socket() as (peer, application):
        await never_reads_again(peer, application)
        peer.unread = lambda: 9
        with pytest.raises(TimeoutError):
            await peer.protocol.drain(seconds=GRACE)


@on_loop
async def test_drain_ends_with_the_connection() -> None:
    async with open_socket() as (peer, application):
        await never_reads_again(peer, application)
        draining = asyncio.create_task(peer.protocol.drain(seconds=20))
        peer.abort()
        await draining
        with pytest.raises(OSError):  # noqa: PT011 - that is all that ASGI says of it
            peer.protocol.write_frames(b"a frame")


@on_loop
async def test_closing_twice_is_no_fault_and_sending_then_is_one() -> None:
    async with open_socket() as (peer, application):
        for code in (1001, 1011):
            await application.send({"type": "websocket.close", "code": code, "reason": ""})
        (closing,) = peer.received()
        assert closing.opcode is Opcode.CLOSE
        assert peer.client.close_rcvd is not None
        assert peer.client.close_rcvd.code == 1001
        with pytest.raises(OSError):  # noqa: PT011
            await application.send({"type": "websocket.send", "text": "too late"})
        with pytest.raises(OSError):  # noqa: PT011
            peer.protocol.write_frames(b"too late")
        assert peer.received() == []


@on_loop
async def test_handshake_of_one_that_is_leaving(caplog: pytest.LogCaptureFixture) -> None:
    """It is on its way out, but the connection's end has not been told yet."""

    application = Application()
    application.accepts = False
    peer = Peer(application)
    peer.say()
    await application.begun.wait()
    peer.closing = True
    with pytest.raises(OSError):  # noqa: PT011
        await application.send({"type": "websocket.accept"})
    await application.send({"type": "websocket.close", "code": 1000, "reason": ""})
    assert peer.written == b""
    peer.protocol.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await application.told.wait()
    peer.abort()
    await asyncio.sleep(0)
    assert caplog.records == []


@on_loop
async def test_of_pings_that_could_not_be_answered_the_last_is() -> None:
    async with open_socket() as (peer, application):
        await never_reads_again(peer, application)
        peer.written = b""
        pings = [Frame(Opcode.PING, b"%d" % number).serialize(mask=True) for number in range(1000)]
        for first, second in zip(pings[::2], pings[1::2], strict=True):
            peer.protocol.data_received(first + second)
        assert peer.written == b""
        peer.reads = True
        peer.protocol.resume_writing()
        assert [bytes(frame.data) for frame in peer.received()] == [b"999"]


@on_loop
async def test_fragments_of_nothing_are_not_kept() -> None:
    async with open_socket() as (peer, application):
        peer.send(Opcode.TEXT, b"a", fin=False)
        for _ in range(1000):
            peer.send(Opcode.CONT, b"", fin=False)
        assert len(peer.protocol.frames) == 1
        peer.send(Opcode.CONT, b"b", fin=False)
        peer.send(Opcode.CONT, b"")
        await asyncio.sleep(0)
        assert application.heard == [{"type": "websocket.receive", "text": "ab"}]


async def closes(peer: Peer, application: Application) -> None:
    await application.send({"type": "websocket.close", "code": 1013, "reason": ""})


async def is_told_to_close(peer: Peer, _application: Application) -> None:
    peer.send(Opcode.CLOSE)


async def both_close(peer: Peer, application: Application) -> None:
    await closes(peer, application)
    peer.send(Opcode.CLOSE)


async def hears_no_pong(peer: Peer, _application: Application) -> None:
    peer.protocol.keepalive_timeout()


async def hears_nonsense(peer: Peer, _application: Application) -> None:
    peer.send(Opcode.CONT, b"of nothing")


async def stops(peer: Peer, _application: Application) -> None:
    peer.protocol.shutdown()


@pytest.mark.parametrize(
    "ends", [closes, is_told_to_close, both_close, hears_no_pong, hears_nonsense, stops]
)
@on_loop
async def test_connection_of_one_that_does_not_read_ends_all_the_same(
    ends: Callable[[Peer, Application], Coroutine[Any, Any, None]],
) -> None:
    async with open_socket() as (peer, application):
        await never_reads_again(peer, application)
        await ends(peer, application)
        await application.told.wait()
        await peer.ended


@on_loop
async def test_thousands_of_frames_in_one_read_leave_turns_to_others() -> None:
    async with open_socket() as (peer, application):
        frame = Frame(Opcode.TEXT, b"{}").serialize(mask=True)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while len(application.heard) < 10_000:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        peer.protocol.data_received(frame * 10_000)
        assert peer.protocol.queue.qsize() < 1_000  # not all of them in this turn
        await beside
        assert turns > 10
        assert {message["type"] for message in application.heard} == {"websocket.receive"}


@on_loop
async def test_a_frame_that_is_parsed_in_parts_is_one() -> None:
    async with open_socket() as (peer, application):
        for text in (b"a" * 900, b"b" * 900):
            frame = Frame(Opcode.TEXT, text).serialize(mask=True)
            peer.protocol.data_received(frame * 9)
        for _ in range(100):
            await asyncio.sleep(0)
        texts = [message["text"] for message in application.heard]
        assert texts == ["a" * 900] * 9 + ["b" * 900] * 9
