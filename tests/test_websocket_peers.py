"""`/ws` and the peers it has to outlive: odd, silent, slow and vanishing ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.frames import Close, Opcode

from tests.hasty import hasty
from tests.server import Server, wait_for
from tests.subscriber import (
    RawSubscriber,
    address,
    end,
    ids,
    nothing_more,
    receive,
    subscribe,
)

PING = b'{"type": "ping"}'
MESSAGE_LIMIT = 64 * 1024

StartServer = Callable[..., Server]


@pytest.fixture(autouse=True)
def _quiet(shared_server: Server) -> Iterator[None]:
    """Whatever a peer does, it is no error of the server's, and its socket is given up."""
    yield
    wait_for(lambda: open_sockets(shared_server) == 0, what="all sockets to be given up")
    assert_quiet(shared_server)


def assert_quiet(server: Server) -> None:
    assert "ERROR" not in server.log
    assert "Traceback" not in server.log


def open_sockets(server: Server) -> int:
    return int(server.http.get("/api/websocket/stats").json()["total_connections"])


# What clients may send.


def test_ping_is_answered(shared_server: Server, project: str) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        subscriber.send(PING.decode())
        (pong,) = receive(subscriber, 1)
        assert pong["type"] == "pong"
        assert set(pong) == {"type", "data", "timestamp"}


@pytest.mark.parametrize(
    "message",
    [
        "",
        "ping",
        "null",
        "[]",
        '"ping"',
        "1e999",
        '{"type": null}',
        '{"type": ["ping"]}',
        '{"type": "subscribe", "project": "x"}',
        "[" * 10_000,
        PING,  # binary
        b"\xff\x00",
        "x" * MESSAGE_LIMIT,
    ],
)
def test_anything_else_is_ignored(shared_server: Server, message: str | bytes) -> None:
    before = shared_server.http.get("/api/websocket/stats").json()["messages_received"]
    with subscribe(address(shared_server)) as subscriber:
        subscriber.send(message)
        assert nothing_more(subscriber)
    after = shared_server.http.get("/api/websocket/stats").json()["messages_received"]
    assert after == before + 2


def test_message_in_fragments(shared_server: Server) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        subscriber.send(Opcode.TEXT, PING[:5], fin=False)
        subscriber.send(Opcode.CONT, b"", fin=False)
        subscriber.send(Opcode.PING, b"in between")
        subscriber.send(Opcode.CONT, PING[5:-1], fin=False)
        assert subscriber.next(Opcode.PONG) == b"in between"
        subscriber.send(Opcode.CONT, PING[-1:])
        assert json.loads(subscriber.next(Opcode.TEXT))["type"] == "pong"


def test_close_is_echoed(shared_server: Server) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        subscriber.send(Opcode.CLOSE, Close(1000, "that was all").serialize())
        assert subscriber.end() == Close(1000, "that was all")
        assert list(subscriber.frames()) == []  # and the connection is at its end


def test_only_the_newest_ping_of_many_need_be_answered(shared_server: Server) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        for number in range(1000):
            subscriber.send(Opcode.PING, b"%d" % number)
        while subscriber.next(Opcode.PONG) != b"999":
            pass


@pytest.mark.parametrize("fragments", [1, 3])
def test_message_over_the_limit(shared_server: Server, fragments: int) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        size = MESSAGE_LIMIT // fragments + 1
        for number in range(fragments):
            opcode = Opcode.CONT if number else Opcode.TEXT
            subscriber.send(opcode, b"x" * size, fin=number + 1 == fragments)
        assert subscriber.end().code == 1009


def test_flood_over_the_limit_still_learns_why(shared_server: Server) -> None:
    """Closed at once, the connection would be reset under the close frame."""
    with subscribe(address(shared_server)) as subscriber:
        subscriber.send("x" * 20 * 1024 * 1024)
        assert end(subscriber).code == 1009


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [
        (Opcode.TEXT, b"\xff", 1007),
        (Opcode.TEXT, b'{"type": "\xed\xa0\x80"}', 1007),
        (Opcode.CONT, b"of nothing", 1002),
        (Opcode.PING, b"x" * 126, 1002),
        (Opcode.CLOSE, b"x", 1002),
        (Opcode.CLOSE, b"\x03\xec", 1002),  # 1004, which nobody may send
        (Opcode.CLOSE, b"\x03\xe8\xff", 1007),
    ],
)
def test_breach_of_the_protocol(
    shared_server: Server, opcode: Opcode, data: bytes, code: int
) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        subscriber.socket.sendall(unchecked(opcode, data))
        subscriber.socket.sendall(unchecked(Opcode.TEXT, PING))  # is not listened to
        assert subscriber.end().code == code
        assert list(subscriber.frames()) == []


def unchecked(opcode: Opcode, data: bytes) -> bytes:
    """A frame, whether or not it may be sent."""
    length = len(data).to_bytes(1) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2)
    masked = bytes([0x80 | length[0]]) + length[1:] + bytes(4)  # by zeros: as it is
    return bytes([0x80 | opcode]) + masked + data


def test_garbage_instead_of_frames(shared_server: Server) -> None:
    with RawSubscriber(address(shared_server)) as subscriber:
        subscriber.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert subscriber.end().code == 1002


# Who falls silent.


def test_silent_peer_is_pinged_and_given_up(start_server: StartServer) -> None:
    server = start_server(command=hasty(ping=0.1, pong=0.3))
    with RawSubscriber(address(server)) as silent, subscribe(address(server)) as orderly:
        assert silent.next(Opcode.PING)
        assert silent.end() == Close(1011, "no pong came")
        assert list(silent.frames()) == []
        assert nothing_more(orderly)  # by now it has answered several pings
        assert open_sockets(server) == 1
    assert_quiet(server)


def test_peer_that_answers_pings_stays(start_server: StartServer) -> None:
    server = start_server(command=hasty(ping=0.05, pong=5))
    with RawSubscriber(address(server)) as subscriber:
        for _ in range(10):
            subscriber.send(Opcode.PONG, subscriber.next(Opcode.PING))
        subscriber.send(Opcode.TEXT, PING)
        assert json.loads(subscriber.next(Opcode.TEXT))["type"] == "pong"


def test_peer_that_vanishes_is_forgotten(shared_server: Server, project: str) -> None:
    with ExitStack() as stack:
        vanishing = [
            stack.enter_context(RawSubscriber(address(shared_server, project))) for _ in range(10)
        ]
        assert open_sockets(shared_server) == 10
        for number, subscriber in enumerate(vanishing):
            subscriber.cut() if number % 2 else subscriber.socket.close()
            shared_server.report("start", project)
        wait_for(lambda: open_sockets(shared_server) == 0, what="all to be forgotten")


def test_peer_that_closes_and_does_not_hang_up(start_server: StartServer) -> None:
    server = start_server(command=hasty(close=0.1))
    with subscribe(address(server, since="x")), RawSubscriber(address(server, since="x")) as peer:
        assert peer.end().code == 1008
        assert list(peer.frames()) == []


# Who does not read.

LARGE = "x" * 900_000


def stall(server: Server, project: str) -> RawSubscriber:
    """A subscriber that reads nothing but the answer to its handshake."""
    return RawSubscriber(address(server, project), receive_buffer=4096)


def fill(server: Server, project: str, count: int = 12) -> list[int]:
    """More events than lie on the way to one that does not read."""
    return [server.report("finish", project, result=LARGE).json()["event_id"] for _ in range(count)]


def test_slow_peer_is_closed_and_loses_nothing(start_server: StartServer, project: str) -> None:
    server = start_server(command=hasty(send=0.5, close=20))
    with stall(server, project) as slow:
        event_ids = fill(server, project)
        wait_for(lambda: open_sockets(server) == 0, what="the slow one to be given up")
        messages = [json.loads(data) for data in slow.texts()]
        assert slow.closed == Close(3008, "reading too slowly")
    seen = ids(messages)
    assert seen == event_ids[: len(seen)]
    rest = event_ids[len(seen) :]
    assert rest, "it was not slow at all"
    with subscribe(address(server, project, since=seen[-1]), max_size=None) as subscriber:
        assert ids(receive(subscriber, len(rest))) == rest
        assert nothing_more(subscriber)
    server.stop()
    assert_quiet(server)


def test_peer_that_does_not_read_slows_nobody(start_server: StartServer, project: str) -> None:
    server = start_server(command=hasty(send=60))
    with ExitStack() as stack:
        orderly = stack.enter_context(subscribe(address(server, project), max_size=None))
        for _ in range(9):
            stack.enter_context(stall(server, project))
        fill(server, project)  # by now nine do not take any more
        receive(orderly, 12)
        before = memory(server)
        for _ in range(5):
            event_ids = fill(server, project)
            assert ids(receive(orderly, 12)) == event_ids
        # Queued for each of the nine, these 54 MB would be 486.
        assert memory(server) - before < 64 * 1024 * 1024
        assert open_sockets(server) == 10
    assert_quiet(server)


def test_pings_of_one_that_does_not_read_keep_no_memory(server: Server, project: str) -> None:
    with stall(server, project) as stalled:
        fill(server, project)
        before = memory(server)
        stalled.socket.settimeout(0.5)
        pings = unchecked(Opcode.PING, b"x" * 125) * 5000
        for _ in range(40):
            stalled.socket.sendall(pings)
        assert memory(server) - before < 16 * 1024 * 1024
    assert_quiet(server)


def memory(server: Server) -> int:
    """The server's memory in bytes; 0 where that cannot be told."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


# At the server's stop.


def test_stop_tells_everyone(start_server: StartServer, project: str) -> None:
    server = start_server()
    with subscribe(address(server)) as one, subscribe(address(server, project)) as other:
        assert server.stop() == 0
        assert end(one) == Close(1001, "the server is stopping")
        assert end(other) == Close(1001, "the server is stopping")
    assert_quiet(server)


def test_stop_waits_for_nobody_who_does_not_read(start_server: StartServer, project: str) -> None:
    server = start_server("--ws-per-project", "0")
    with ExitStack() as stack:
        stalled = [stack.enter_context(stall(server, project)) for _ in range(50)]
        orderly = [
            stack.enter_context(subscribe(address(server, project), max_size=None))
            for _ in range(50)
        ]
        event_ids = fill(server, project, 6)
        for subscriber in orderly:
            assert ids(receive(subscriber, 6)) == event_ids
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 10  # the contract's limit
        assert {end(subscriber).code for subscriber in orderly} == {1001}
        assert len(stalled) == 50
    assert_quiet(server)
