"""The endpoint of `/ws` over servers and peers that behave in ways a real one seldom does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import falcon.asgi
import orjson
import pytest

from tests.support.access import only
from tests.support.loop import on_loop
from tests.unit.test_stream import ListLog
from tracker.clock import SystemClock
from tracker.domain.lease import Lease
from tracker.errors import Unavailable
from tracker.timeouts import DEFAULT_TIMEOUTS
from tracker.ws.connections import Connections
from tracker.ws.hub import Batch, Hub
from tracker.ws.socket import FRAMES, Admitted, Socket
from tracker.ws.stream import Stream

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Frames:
    """A server's way to write frames, as the test has it."""

    def __init__(self, write: Callable[[bytes], bool], drain: Any = None) -> None:
        self.write_frames = write
        self.drain = drain


class Scene:
    """An endpoint, and one client of it."""

    def __init__(self, stream: Any = None) -> None:
        clock = SystemClock()
        self.hub = Hub()
        self.lease = Lease()
        self.log = ListLog(page_size=10)
        self.hub.publish(self.log.append("aab"))
        self.connections = Connections(clock, per_project=0)
        self.sent: list[dict[str, Any]] = []
        self.all_sent = asyncio.Event()
        self.faults: list[Exception] = []
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
        self.app.ws_options.max_receive_queue = 0
        self.app.add_error_handler(Exception, self._note)
        stream = stream or Stream(self.hub, self.log, clock)
        timeouts = DEFAULT_TIMEOUTS._replace(send=0.01)
        self.app.add_route(
            "/ws",
            Socket(
                stream,
                self.connections,
                clock,
                timeouts,
                lambda _req: Admitted("a", only("a"), 0, self.lease),
            ),
        )

    async def _note(
        self, _req: Any, _resp: Any, error: Exception, _params: Any, ws: Any = None
    ) -> None:
        self.faults.append(error)

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if len(self.texts) == 2:  # the log's events of the project
            self.all_sent.set()

    async def play(self, send: Send | None = None, frames: Frames | None = None) -> None:
        """Until the endpoint is done."""
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/ws",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "subprotocols": [],
            "extensions": {} if frames is None else {FRAMES: frames},
        }
        self.said.put_nowait({"type": "websocket.connect"})
        app: Any = self.app
        await asyncio.wait_for(app(scope, self.said.get, send or self._send), 20)
        assert self.connections.stats(only())["total_connections"] == 0

    @property
    def texts(self) -> list[Any]:
        return [orjson.loads(one["text"]) for one in self.sent if one["type"] == "websocket.send"]

    @property
    def close_code(self) -> int | None:
        return next((one["code"] for one in self.sent if one["type"] == "websocket.close"), None)


@on_loop
async def test_server_that_cannot_write_frames_is_given_single_messages() -> None:
    scene = Scene()
    playing = asyncio.create_task(scene.play())
    await asyncio.wait_for(scene.all_sent.wait(), 20)
    scene.hub.close()
    await playing
    assert [text["id"] for text in scene.texts] == [1, 2]
    assert scene.connections.stats(only())["messages_sent"] == 2
    assert scene.close_code == 1001
    assert scene.faults == []


@on_loop
async def test_server_that_cannot_write_frames_and_a_peer_that_does_not_read() -> None:
    scene = Scene()

    async def send(message: dict[str, Any]) -> None:
        scene.sent.append(message)
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    await scene.play(send)
    assert scene.close_code == 3008
    assert scene.faults == []


@on_loop
async def test_peer_that_takes_nothing() -> None:
    async def drain(_seconds: float) -> None:
        raise TimeoutError

    scene = Scene()
    await scene.play(frames=Frames(lambda _frames: False, drain))
    assert scene.close_code == 3008
    assert scene.faults == []


@on_loop
async def test_peer_that_takes_nothing_when_its_lease_ends() -> None:
    scene = Scene()

    async def drain(_seconds: float) -> None:
        scene.lease.end()
        await asyncio.Event().wait()

    await scene.play(frames=Frames(lambda _frames: False, drain))
    assert scene.close_code == 3000
    assert scene.faults == []


def gone(_frames: bytes) -> bool:
    raise ConnectionResetError


@pytest.mark.parametrize("accepted", [True, False])
@on_loop
async def test_peer_that_is_gone_is_no_fault(accepted: bool) -> None:
    """ASGI's sign for it is an OSError; Falcon does not turn all of them into its own."""

    scene = Scene()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and not accepted:
            raise ConnectionResetError

    await scene.play(send, Frames(gone))
    assert scene.faults == []


@on_loop
async def test_log_that_cannot_be_read_now() -> None:
    class Broken:
        async def batches(self, *_arguments: Any) -> AsyncGenerator[Batch, None]:
            raise Unavailable("It is locked.")
            yield

    scene = Scene(Broken())
    await scene.play()
    assert scene.close_code == 1013
    assert scene.faults == []


@on_loop
async def test_fault_of_ours_is_not_swallowed() -> None:
    class Faulty:
        async def batches(self, *_arguments: Any) -> AsyncGenerator[Batch, None]:
            raise ZeroDivisionError
            yield

    scene = Scene(Faulty())
    await scene.play()
    (fault,) = scene.faults
    assert isinstance(fault, ExceptionGroup)
    assert fault.subgroup(ZeroDivisionError)
