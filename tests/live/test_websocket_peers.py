"""`/ws` and the peers it has to outlive: odd, silent, slow and vanishing ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.frames import Close

from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, frame
from tests.support.server import Server, wait_for
from tests.support.subscriber import (
    RawSubscriber,
    address,
    end,
    ids,
    nothing_more,
    receive,
    subscribe,
)
from tests.support.timeouts import command_with_timeouts

PING_MESSAGE = b'{"type": "ping"}'
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


def stats(server: Server) -> dict[str, Any]:
    return dict(server.http.get("/api/websocket/stats").json())


def open_sockets(server: Server) -> int:
    return int(stats(server)["total_connections"])


# What clients may send; test_hostile.py sends what they may not.


def test_ping_is_answered(shared_server: Server, project: str) -> None:
    with subscribe(address(shared_server, project)) as subscriber:
        subscriber.send('{"type": "ping"}')
        (pong,) = receive(subscriber, 1)
        assert pong["type"] == "pong"
        assert set(pong) == {"type", "data", "timestamp"}


@pytest.mark.parametrize(
    "message",
    ["", "null", '"ping"', "1e999", '{"type": null}', '{"type": "subscribe"}', b"\xff\x00"],
)
def test_anything_else_is_counted_and_ignored(shared_server: Server, message: str | bytes) -> None:
    before = stats(shared_server)["messages_received"]
    with subscribe(address(shared_server)) as subscriber:
        subscriber.send(message)
        assert nothing_more(subscriber)
    assert stats(shared_server)["messages_received"] == before + 2


def test_binary_ping_is_none(shared_server: Server) -> None:
    with RawSubscriber(shared_server) as subscriber:
        subscriber.send(BINARY, PING_MESSAGE)
        subscriber.send(PING, b"after it")
        assert next(subscriber.frames()) == (PONG, b"after it")


def test_largest_message_is_taken(shared_server: Server) -> None:
    with subscribe(address(shared_server)) as subscriber:
        subscriber.send("x" * MESSAGE_LIMIT)
        assert nothing_more(subscriber)


def test_flood_over_the_limit_still_learns_why(shared_server: Server) -> None:
    """Closed at once, the connection would be reset under the close frame."""
    with subscribe(address(shared_server)) as subscriber:
        subscriber.send("x" * 20 * 1024 * 1024)
        assert end(subscriber).code == 1009


@pytest.mark.parametrize(
    ("opcode", "payload", "code"), [(TEXT, b"\xff", 1007), (PING, b"x" * 126, 1002)]
)
def test_after_a_breach_nothing_is_listened_to_and_the_connection_ends(
    shared_server: Server, opcode: int, payload: bytes, code: int
) -> None:
    with RawSubscriber(shared_server) as subscriber:
        subscriber.send(opcode, payload)
        subscriber.send(TEXT, PING_MESSAGE)
        assert [opcode for opcode, _ in subscriber.frames()] == [CLOSE]
    with RawSubscriber(shared_server) as subscriber:
        subscriber.socket.sendall(frame(opcode, payload) + frame(TEXT, PING_MESSAGE))
        assert subscriber.end().code == code


def test_close_is_echoed(shared_server: Server) -> None:
    with RawSubscriber(shared_server) as subscriber:
        subscriber.send(CLOSE, Close(1000, "that was all").serialize())
        assert subscriber.end() == Close(1000, "that was all")
        assert list(subscriber.frames()) == []  # and the connection is at its end


# Who falls silent.


def test_silent_peer_is_pinged_and_given_up(start_server: StartServer) -> None:
    server = start_server(command=command_with_timeouts(ping=0.1, pong=2))
    with RawSubscriber(server) as silent, subscribe(address(server)) as orderly:
        assert silent.next(PING)
        assert silent.end() == Close(1011, "no pong came")
        assert list(silent.frames()) == []
        assert nothing_more(orderly)  # by now it has answered several pings
        wait_for(lambda: open_sockets(server) == 1, what="the silent one to be given up")
    assert_quiet(server)


def test_peer_that_answers_pings_stays(start_server: StartServer) -> None:
    server = start_server(command=command_with_timeouts(ping=0.05, pong=5))
    with RawSubscriber(server) as subscriber:
        for _ in range(10):
            subscriber.send(PONG, subscriber.next(PING))
        subscriber.send(TEXT, PING_MESSAGE)
        assert json.loads(subscriber.next(TEXT))["type"] == "pong"


def test_peer_that_vanishes_is_forgotten(shared_server: Server, project: str) -> None:
    with ExitStack() as stack:
        vanishing = [stack.enter_context(RawSubscriber(shared_server, project)) for _ in range(10)]
        assert open_sockets(shared_server) == 10
        for number, subscriber in enumerate(vanishing):
            subscriber.cut() if number % 2 else subscriber.socket.close()
            shared_server.report("start", project)
        wait_for(lambda: open_sockets(shared_server) == 0, what="all to be forgotten")


def test_peer_that_answers_no_close_is_cut(start_server: StartServer) -> None:
    server = start_server(command=command_with_timeouts(close=0.1))
    with RawSubscriber(server, since="x") as peer:
        assert peer.end().code == 1008
        assert list(peer.frames()) == []


# Who does not read.

LARGE = "x" * 250_000
MANY = 43  # of these


def fill(server: Server, project: str, count: int = MANY) -> list[int]:
    """More events than lie on the way to one that does not read."""
    return [server.report("finish", project, result=LARGE).json()["event_id"] for _ in range(count)]


def test_slow_peer_is_closed_and_loses_nothing(start_server: StartServer, project: str) -> None:
    server = start_server(command=command_with_timeouts(send=0.5, close=20))
    with RawSubscriber(server, project) as slow:
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
    server = start_server(command=command_with_timeouts(send=60))
    with ExitStack() as stack:
        orderly = stack.enter_context(subscribe(address(server, project), max_size=None))
        for _ in range(9):
            stack.enter_context(RawSubscriber(server, project))
        fill(server, project)  # by now nine do not take any more
        receive(orderly, MANY)
        before = server.memory
        for _ in range(5):
            event_ids = fill(server, project)
            assert ids(receive(orderly, MANY)) == event_ids
        # Queued for each of the nine, these 54 MB would be 486.
        assert server.memory - before < 64 * 1024 * 1024
        assert open_sockets(server) == 10
    assert_quiet(server)


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
        orderly = [stack.enter_context(subscribe(address(server, "small"))) for _ in range(50)]
        for _ in range(50):
            stack.enter_context(RawSubscriber(server, project))
        fill(server, project)
        event_id = server.report("start", "small").json()["event_id"]
        for subscriber in orderly:
            assert ids(receive(subscriber, 1)) == [event_id]
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 10  # docs/contract.md, "Start and stop"
        assert {end(subscriber).code for subscriber in orderly} == {1001}
    assert_quiet(server)
