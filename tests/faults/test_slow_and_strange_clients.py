"""Clients that cost more than their share, or speak HTTP as few do (RFC 9110, 9112)."""

from __future__ import annotations

import gc
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.support import raw
from tests.support.server import KEY, Server, wait_for
from tests.support.timeouts import command_with_timeouts
from tracker.app import create_app
from tracker.config.settings import Settings
from tracker.domain.limits import MAX_HEADERS
from tracker.server import lifecycle, run
from tracker.server.http import HttpProtocol
from tracker.server.slots import Slots
from tracker.timeouts import DEFAULT_TIMEOUTS

KEYED = b"X-API-Key: " + KEY.encode()
STREAM = b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % KEYED


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It gives a head 0.5 s, and looks at a body's rate after 1 s."""
    folder = tmp_path_factory.mktemp("hasty") / "server"
    server = Server.start(folder, command=command_with_timeouts(head=0.5, request=1))
    yield server
    server.stop()


def report(task: str) -> bytes:
    return json.dumps({"project": "p", "task": "T", "task_id": task, "agent": "a"}).encode()


def is_cut(connection: socket.socket, part: bytes, seconds: float) -> bool:
    """Whether the server ends the connection while it is sent a part every 50 ms."""
    end = time.monotonic() + seconds
    connection.settimeout(0.05)
    while time.monotonic() < end:
        try:
            connection.sendall(part)
            if connection.recv(1024) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


class TestSlowness:
    def test_a_head_that_never_ends_is_cut(self, hasty_server: Server) -> None:
        with closing(raw.connect(hasty_server)) as connection:
            connection.sendall(b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX: ")
            assert is_cut(connection, b"a", 10)

    @pytest.mark.parametrize("target", ["/webhook/start", "/api/session"])
    def test_a_body_that_drips_is_cut(self, hasty_server: Server, target: str) -> None:
        with closing(raw.connect(hasty_server)) as connection:
            head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            connection.sendall(head.encode() + KEYED + b"\r\n\r\n")
            assert is_cut(connection, b"a", 10)

    def test_a_slow_line_is_not(self, hasty_server: Server) -> None:
        """1 kB a second is enough, for however long it takes."""
        body = report("slow") + b" " * 8_000
        with closing(raw.connect(hasty_server)) as connection:
            whole = raw.webhook("start", body)
            begin = len(whole) - len(body)
            connection.sendall(whole[:begin])
            for at in range(begin, len(whole), 200):
                connection.sendall(whole[at : at + 200])
                time.sleep(0.05)  # the line's pace
            assert raw.parse(raw.read_all(connection)).status == 201

    def test_nor_who_connects_and_waits_a_little(self, hasty_server: Server) -> None:
        """A sweep each second must not take a connection without a request for a slow one."""
        for _ in range(12):
            with closing(raw.connect(hasty_server)) as connection:
                time.sleep(0.2)  # the client's own pause
                connection.sendall(raw.request("GET", "/health"))
                assert raw.parse(raw.read_all(connection)).status == 200

    def test_nor_who_pauses_between_requests(self, hasty_server: Server) -> None:
        with closing(raw.connect(hasty_server)) as connection:
            for number in range(2):
                body = report(f"pause-{number}")
                connection.sendall(
                    b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (KEYED, len(body), body)
                )
                assert connection.recv(4096).startswith(b"HTTP/1.1 201")
                time.sleep(1.5 * (1 - number))  # longer than a request may be silent


def test_there_may_be_a_hundred_headers(shared_server: Server) -> None:
    own = raw.request("GET", "/api/stats").count(b"\r\n") - 2
    most = [b"X-%d: 1" % number for number in range(MAX_HEADERS - own)]
    assert raw.exchange(shared_server, raw.request("GET", "/api/stats", most)).status == 200
    answer = raw.exchange(shared_server, raw.request("GET", "/api/stats", [*most, b"X: 1"]))
    assert answer.status == 431
    assert b"over 100 headers" in answer.body


class TestOtherProtocols:
    """Java's HttpClient and `curl --http2` ask for HTTP/2 with every request (RFC 7540, 3.2)."""

    HTTP2 = (
        b"Connection: Upgrade, HTTP2-Settings, close",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    )

    @pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.2", b"foo/2, bar"])
    def test_are_not_taken_up_and_the_request_is(
        self, shared_server: Server, protocol: bytes
    ) -> None:
        task = protocol.decode().replace("/", "-")
        headers = (b"Connection: Upgrade, close", b"Upgrade: " + protocol)
        answer = raw.exchange(shared_server, raw.webhook("start", report(task), *headers))
        assert answer.status == 201
        assert shared_server.task("p", task)["title"] == "T"

    def test_whatever_parts_the_request_comes_in(self, shared_server: Server) -> None:
        whole = raw.webhook("start", report("parts"), *self.HTTP2)
        for size in (1, 7, 64):
            with closing(raw.connect(shared_server)) as connection:
                for at in range(0, len(whole), size):
                    connection.sendall(whole[at : at + size])
                assert raw.parse(raw.read_all(connection)).status in (200, 201)

    def test_in_a_body_of_chunks(self, shared_server: Server) -> None:
        body = report("chunks")
        chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
        lines = (b"Content-Type: application/json", b"Transfer-Encoding: chunked", *self.HTTP2)
        request = raw.request("POST", "/webhook/start", lines) + chunks
        assert raw.exchange(shared_server, request).status == 201

    def test_and_the_next_request_is_another(self, shared_server: Server) -> None:
        """A body that is taken for a request would be one more, or a refusal."""
        body = report("first")
        upgrading = (
            b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\n%b\r\nConnection: Upgrade\r\n"
            b"Upgrade: h2c\r\nContent-Length: %d\r\n\r\n%b" % (KEYED, len(body), body)
        )
        both = upgrading + raw.webhook("start", report("second"), *self.HTTP2)
        with closing(raw.connect(shared_server)) as connection:
            connection.sendall(both)
            answers = raw.read_all(connection)
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"201", b"201"]
        assert [json.loads(one)["task_id"] for one in re.findall(rb"\{.*?\}", answers)] == [
            "first",
            "second",
        ]

    def test_in_http_1_0_it_ends_the_connection_as_ever(self, shared_server: Server) -> None:
        """nginx without `proxy_http_version` asks so; who speaks 1.0 may wait for the end."""
        body = report("old")
        request = (
            b"POST /webhook/start HTTP/1.0\r\nHost: localhost\r\n%b\r\nConnection: upgrade\r\n"
            b"Upgrade: h2c\r\nContent-Length: %d\r\n\r\n%b" % (KEYED, len(body), body)
        )
        with closing(raw.connect(shared_server)) as connection:
            connection.sendall(request)
            assert raw.parse(raw.read_all(connection)).status == 201

    def test_get_is_answered_too(self, shared_server: Server) -> None:
        request = raw.request("GET", "/api/stats", self.HTTP2)
        assert raw.exchange(shared_server, request).status == 200

    def test_connect_is_no_method_of_ours(self, shared_server: Server) -> None:
        request = b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % KEYED
        assert raw.exchange(shared_server, request).status in (400, 404, 405)


class TestMemory:
    """What a connection took is given back when it ends, not at a collector's turn."""

    @pytest.mark.parametrize(
        "request_",
        [
            b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000,
            raw.webhook("start", report("t")),
            raw.webhook("start", report("t"))[:-9],
            raw.request("GET", "/api/stats"),
            2 * raw.webhook("start", report("t")).replace(b"Connection: close\r\n", b""),
            STREAM,
            STREAM + raw.request("GET", "/health"),
        ],
        ids=["head", "webhook", "half a webhook", "read", "pipelined", "stream", "more than it"],
    )
    def test_of_a_connection_that_ended(self, request_: bytes) -> None:
        assert connections_left(request_) == 0

    def test_of_one_that_was_reset(self) -> None:
        kept = raw.request("GET", "/health").replace(b"Connection: close\r\n", b"")
        assert connections_left(kept, reset=True) == 0

    def test_of_one_that_became_a_websocket(self) -> None:
        handshake = (
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\n%b\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % KEYED
        )
        assert connections_left(handshake) == 0


def test_the_newest_events_take_the_memory_that_they_are_long(server: Server) -> None:
    """10,000 short ones, of which the hub keeps 4,096; with SQLite's caches that come with them."""
    server.report("start", "p", "first")
    before = server.memory
    for part in range(20):
        reports = [{"kind": "start", **json.loads(report(f"{part}-{n}"))} for n in range(500)]
        assert server.http.post("/webhook/batch", json={"reports": reports}).status_code == 200
    assert server.memory - before < 23 * 2**20


def connections_left(request: bytes, *, reset: bool = False) -> int:
    """How many connections are still in memory once a client has sent this and left."""
    timeouts = DEFAULT_TIMEOUTS._replace(heartbeat=0.1)
    app = create_app(Settings(api_key=KEY), None, timeouts=timeouts)
    listener = socket.create_server(("127.0.0.1", 0))
    server = lifecycle.Server(
        run._config(app, timeouts),
        app,
        lambda: None,
        Slots(100, app.clock),
        None,
        timeouts,
        idle_timeout=0,
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    wait_for(lambda: server.started)
    gc.collect()
    gc.disable()
    try:
        with closing(socket.create_connection(listener.getsockname())) as connection:
            connection.sendall(request)
            connection.settimeout(0.3)  # what is not answered goes without
            with suppress(TimeoutError):
                connection.recv(65_536)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(AssertionError):
            wait_for(lambda: not living(), 3)
        return living()
    finally:
        gc.enable()
        server.should_exit = True
        thread.join(20)


def living() -> int:
    return sum(isinstance(one, HttpProtocol) for one in gc.get_objects())


class TestHttp10:
    """What nginx speaks to what is behind it, unless `proxy_http_version` says otherwise."""

    def send(self, server: Server, method: str, target: str, *headers: bytes) -> socket.socket:
        connection = raw.connect(server)
        lines = [b"%b %b HTTP/1.0" % (method.encode(), target.encode()), b"Host: localhost", KEYED]
        connection.sendall(b"\r\n".join([*lines, *headers]) + b"\r\n\r\n")
        return connection

    def test_streams_have_no_chunks_and_end_with_the_connection(
        self, start_server: Callable[..., Server]
    ) -> None:
        server = start_server()
        server.report("start", "p", "streamed")
        with closing(self.send(server, "GET", "/api/events/stream?since=0")) as connection:
            received = b""
            while b'"streamed"' not in received:
                received += raw.receive(connection)
            head, _, body = received.partition(b"\r\n\r\n")
            assert b"transfer-encoding" not in head.lower()
            assert b"connection: close" in head.lower()
            assert body.startswith(b": connected\n\nid: 1\nevent: task_started\ndata: {")
            assert server.stop() == 0
            assert raw.read_all(connection) == b""
        assert "Traceback" not in server.log
        assert "ERROR" not in server.log

    @pytest.mark.parametrize("target", ["/api/stats", "/", "/api/nothing", "/health"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_answers_are_as_ever(self, shared_server: Server, method: str, target: str) -> None:
        with closing(self.send(shared_server, method, target)) as connection:
            received = raw.read_all(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        asked = shared_server.http.request(method, target)
        assert raw.parse(received).status == asked.status_code
        assert b"transfer-encoding" not in head.lower()
        assert (body != b"") is (method == "GET")
