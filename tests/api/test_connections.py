"""One connection, many requests: webhooks that it hands to their handler, among others."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket

import pytest

from tests.support.certificates import Pair
from tests.support.mounts import MOUNTS
from tests.support.raw import connect, parse, read_all, request, webhook
from tests.support.server import COMMAND, KEY, Server, wait_for
from tests.support.timeouts import command_with_timeouts

CLOSE = b"Connection: close\r\n"
BAD = webhook("status", b"{}").replace(CLOSE, b"")


@pytest.fixture(scope="module", params=[*MOUNTS, "TLS"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pairs: dict[str, Pair],
) -> Iterator[Server]:
    flags = pairs["EC"].flags if request.param == "TLS" else ()
    command = MOUNTS.get(request.param, COMMAND)
    folder = tmp_path_factory.mktemp("connections")
    server = Server.start(folder / "server", *flags, command=command)
    yield server
    server.stop()


def report(task_id: str, kind: str = "start") -> bytes:
    """A webhook after which the connection stays open."""
    body = {"project": "p", "task": "T", "task_id": task_id, "agent": "a"}
    return webhook(kind, json.dumps(body).encode()).replace(CLOSE, b"")


def get(target: str) -> bytes:
    return request("GET", target).replace(CLOSE, b"")


def bodies(received: bytes) -> list[tuple[int, dict[str, object]]]:
    """Status and content of each answer, in order."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        match = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert match, received
        size = int(match[1])
        found.append((int(head[9:12]), json.loads(rest[:size])))
        received = rest[size:]
    return found


def conversation(server: Server, data: bytes) -> list[tuple[int, dict[str, object]]]:
    """All answers to what is sent at once; the last request asks for the connection's end."""
    with closing(connect(server)) as connection:
        connection.sendall(data)
        return bodies(read_all(connection))


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    answers = conversation(
        server,
        report("one")
        + get("/health")
        + report("two")
        + report("two", "finish")
        + BAD
        + report("three")
        + request("GET", "/api/projects/p/tasks/two"),
    )
    assert [status for status, _ in answers] == [201, 200, 201, 200, 422, 201, 200]
    assert [answers[place][1]["task_id"] for place in (0, 2, 3, 5)] == [
        "one",
        "two",
        "two",
        "three",
    ]
    assert answers[-1][1]["status"] == "completed"


def test_a_thousand_pipelined_reports(server: Server) -> None:
    ids = [f"many-{number}" for number in range(1000)]
    data = b"".join(report(task_id) for task_id in ids) + request("GET", "/health")
    answers = conversation(server, data)
    assert [answer.get("task_id") for _, answer in answers] == [*ids, None]


def test_one_connection_takes_turns(server: Server) -> None:
    with closing(connect(server)) as connection:
        for number in range(20):
            wanted = (report(f"turn-{number}"), get("/health"))
            for data in wanted:
                connection.sendall(data)
                assert answer_of(connection)[0] in (200, 201)


def test_body_in_pieces(server: Server) -> None:
    data = report("pieces")
    with closing(connect(server)) as connection:
        for place in range(0, len(data), 7):
            connection.sendall(data[place : place + 7])
        assert answer_of(connection)[1]["task_id"] == "pieces"


def test_wish_for_the_end_is_heard(server: Server) -> None:
    data = webhook("start", json.dumps({"project": "p", "task": "T", "agent": "a"}).encode())
    with closing(connect(server)) as connection:
        connection.sendall(data)
        received = read_all(connection)  # returns: the server closes
    assert b"connection: close" in received
    assert bodies(received)[0][0] == 422


def test_client_that_leaves_at_once_has_reported(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(report("gone") + get("/health") * 3)
    until_there(server, "gone")
    assert "Traceback" not in server.log


def test_who_does_not_read_is_not_answered_for_ever(server: Server) -> None:
    """What waits for a client that only sends is bounded: the server stops reading it."""
    with closing(connect(server, timeout=0.5)) as connection, suppress(TimeoutError):
        sent = 0
        while sent < 256 * 1024 * 1024:
            sent += connection.send(BAD * 200)
    assert sent < 64 * 1024 * 1024  # what the machine keeps on the way
    assert server.report("start", "after").status_code in (200, 201)


def test_thousands_of_requests_at_once_take_little_memory(server: Server) -> None:
    """Anybody may send them: they have no key."""
    before = server.memory
    flood = b"GET / HTTP/1.1\r\n\r\n" * 12_000
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(closing(connect(server, timeout=0.2)))
            with suppress(TimeoutError):
                connection.sendall(flood)
        assert server.report("start", "meanwhile").status_code in (200, 201)
        assert server.memory - before < 64 * 1024 * 1024  # 15 MB a connection, if all were taken in


def test_upgrade_does_not_overtake_a_report(server: Server) -> None:
    upgrade = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + KEY.encode()
    upgrade += b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
    upgrade += b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    with closing(connect(server)) as connection:
        connection.sendall(report("before an upgrade") + upgrade)
        assert parse(read_all(connection)).status in (201, 400)
    until_there(server, "before an upgrade")
    task = server.http.get("/api/projects/p/tasks/before an upgrade").json()
    assert len(task["events"]) == 1
    assert "Traceback" not in server.log


class TestAfterARefusal:
    """It is answered before its body was read, which the next request has to follow."""

    UNKEYED = report("t").replace(KEY.encode(), b"wrong")

    def test_a_connection_is_kept_as_long_as_any(self, tmp_path: Path) -> None:
        hurried = Server.start(tmp_path, command=command_with_timeouts(request=0.5))
        try:
            with closing(connect(hurried)) as connection:
                connection.sendall(self.UNKEYED)
                assert answer_of(connection)[0] == 401
                time.sleep(2.5)  # longer than a request may be silent, and than a sweep takes
                connection.sendall(report("later"))
                assert answer_of(connection)[0] == 201
        finally:
            hurried.stop()

    def test_what_is_no_http_is_told_so(self, server: Server) -> None:
        assert [status for status, _ in conversation(server, self.UNKEYED + b"no http\r\n")] == [
            401,
            400,
        ]

    def test_nothing_is_recorded_that_cannot_be_answered(self, server: Server) -> None:
        """Who sends a body without waiting for the 100 does not learn where it would end."""
        refused = self.UNKEYED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        with closing(connect(server)) as connection:
            connection.sendall(refused + report("unanswered").replace(b"Host", CLOSE + b"Host", 1))
            statuses = re.findall(rb"HTTP/1.1 (\d+)", read_all(connection))
        assert server.report("start", "p", "the next").status_code == 201
        recorded = server.http.get("/api/projects/p/tasks/unanswered").status_code == 200
        # A connection of ours ends after the refusal, as it said; the mount's goes on.
        assert statuses in ([], [b"401"], [b"401", b"201"])
        assert recorded is (b"201" in statuses)


@pytest.mark.parametrize("first", [report("quiet"), get("/health")], ids=["webhook", "other"])
def test_quiet_connection_is_ended(tmp_path: Path, first: bytes) -> None:
    hurried = Server.start(tmp_path, command=command_with_timeouts(keep_alive=1))
    try:
        with closing(connect(hurried)) as connection:
            connection.sendall(first)
            assert answer_of(connection)[0] in (200, 201)
            assert read_all(connection) == b""  # fails by its time-out if nobody hangs up
    finally:
        hurried.stop()


def test_whose_client_never_waits_is_no_idle_server(tmp_path: Path) -> None:
    busy = Server.start(tmp_path, "--idle-timeout", "1")
    try:
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            with closing(connect(busy)) as connection:
                connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                connection.sendall(report("impatient"))
            time.sleep(0.1)
        assert busy.process.poll() is None
    finally:
        busy.stop()


def until_there(server: Server, task_id: str) -> None:
    wait_for(lambda: server.http.get(f"/api/projects/p/tasks/{task_id}").status_code == 200, 10)


def answer_of(connection: socket) -> tuple[int, dict[str, object]]:
    """The one answer that is on its way."""
    received = b""
    while True:
        head, found, rest = received.partition(b"\r\n\r\n")
        match = re.search(rb"content-length: (\d+)", head, re.IGNORECASE) if found else None
        if match and len(rest) >= int(match[1]):
            return bodies(received)[0]
        chunk = connection.recv(65_536)
        assert chunk, received
        received += chunk
