"""More connections than one client should have, or than there are descriptors for."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.certificates import Pair
from tests.support.event_loops import LOOPS
from tests.support.keys import make_key
from tests.support.mounts import MOUNTS
from tests.support.platforms import needs_linux
from tests.support.server import COMMAND, KEY, Server, wait_for
from tracker.server.slots import MAX_KEYLESS, RESERVED

resource = pytest.importorskip("resource")  # not on Windows

CROWDED = "have sent no request with a key"
EXHAUSTED = "No file descriptors are left"
HALF_A_HEAD = b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX: "
FLOOD = 2 * MAX_KEYLESS


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """The clients need some too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limited(descriptors: int, flags: str = "") -> tuple[str, ...]:
    """The command with a limit of its own; with `-S` it may raise it again."""
    return ("sh", "-c", f'ulimit {flags} -n {descriptors}; exec {shlex.join(COMMAND)} "$@"', "sh")


def kept(method: str, target: str, body: bytes = b"", *headers: bytes) -> bytes:
    """A request after which the connection stays open."""
    lines = (*headers, b"Host: localhost", b"Content-Length: %d" % len(body))
    return raw.head(method, target, lines) + body


def report(task: str, project: str = "p") -> bytes:
    body = {"project": project, "task": "T", "task_id": task, "agent": "a"}
    return kept("POST", "/webhook/start", json.dumps(body).encode(), b"X-API-Key: " + KEY.encode())


def ask(connection: socket.socket, request: bytes) -> raw.Answer:
    """Send a request on a connection that stays open; the answer."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received or len((one := raw.parse(received)).body) < length(one):
        chunk = connection.recv(65_536)
        if not chunk:
            return raw.parse(received)
        received += chunk
    return one


def length(answer: raw.Answer) -> int:
    lines = answer.head.lower().split(b"\r\n")
    return next((int(line[16:]) for line in lines if line.startswith(b"content-length: ")), 0)


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.setblocking(True)


def flood(server: Server, stack: ExitStack, count: int = FLOOD) -> list[socket.socket]:
    """Connections on which nothing is sent, or half a head."""
    connections = []
    for number in range(count):
        connection = stack.enter_context(closing(raw.connect_plainly(server)))
        if number % 2:
            with suppress(ConnectionError):
                connection.sendall(HALF_A_HEAD)
        connections.append(connection)
    return connections


def reporters(server: Server, stack: ExitStack, count: int) -> list[socket.socket]:
    """Connections of agents, each of which has reported."""
    connections = []
    for number in range(count):
        connection = stack.enter_context(closing(raw.connect(server)))
        assert ask(connection, report(f"{number}")).status == 201
        connections.append(connection)
    return connections


def open_ones(connections: list[socket.socket]) -> list[int]:
    """Which of them the server has not closed."""
    return [number for number, one in enumerate(connections) if not is_closed(one)]


class TestFlood:
    """Of connections without a key, all from one address."""

    @pytest.mark.parametrize("loop", LOOPS)
    def test_the_oldest_idle_ones_are_closed_and_reports_go_on(
        self, start_server: Callable[..., Server], loop: str
    ) -> None:
        server = start_server(command=LOOPS[loop])
        with ExitStack() as stack, ThreadPoolExecutor(1) as elsewhere:
            flooding = elsewhere.submit(flood, server, stack, 1100)
            statuses = []
            while not flooding.done():
                answer = raw.exchange(server, raw.webhook("start", report_body("flooded")))
                statuses.append(answer.status)
            assert set(statuses) <= {200, 201}
            connections = flooding.result()
            expected = list(range(1100 - MAX_KEYLESS, 1100))
            wait_for(lambda: len(open_ones(connections)) <= MAX_KEYLESS)
            assert set(open_ones(connections)) <= set(expected)
            assert server.report("start", "p", "after").status_code == 201
        assert server.log.count(CROWDED) == 1
        assert f"Over {MAX_KEYLESS} connections from 127.0.0.1" in server.log
        assert server.stop() == 0
        assert "Traceback" not in server.log

    def test_whoever_has_shown_a_key_stays(self, server: Server) -> None:
        key = b"X-API-Key: " + KEY.encode()
        cookie = server.http.post("/api/session").headers["Set-Cookie"].partition(";")[0]
        with ExitStack() as stack:
            connect = lambda: stack.enter_context(closing(raw.connect(server)))  # noqa: E731
            reporter, reader, browser, stream = (connect() for _ in range(4))
            subscriber = stack.enter_context(closing(raw.open_websocket(server)))
            assert ask(reporter, report("1")).status == 201
            assert ask(reader, kept("GET", "/api/stats", b"", key)).status == 200
            session = b"Cookie: " + cookie.encode()
            assert ask(browser, kept("GET", "/api/stats", b"", session)).status == 200
            stream.sendall(kept("GET", "/api/events/stream", b"", key))
            assert b": connected" in read_until(stream, b": connected")
            assert raw.read_frame(subscriber)[0] == raw.TEXT
            flood(server, stack)
            assert ask(reporter, report("2")).status == 201
            assert ask(reader, kept("GET", "/api/stats", b"", key)).status == 200
            assert ask(browser, kept("GET", "/api/stats", b"", session)).status == 200
            assert b'"2"' in read_until(stream, b'"2"')
            assert json.loads(raw.read_frame(subscriber)[1])["data"]["task_id"] == "2"

    @pytest.mark.parametrize("mount", MOUNTS)
    def test_reports_show_it_by_either_mount(
        self, start_server: Callable[..., Server], mount: str
    ) -> None:
        server = start_server(command=MOUNTS[mount])
        with ExitStack() as stack:
            agent = stack.enter_context(closing(raw.connect(server)))
            assert ask(agent, report("1")).status == 201
            flood(server, stack)
            assert ask(agent, report("2")).status == 201

    @pytest.mark.parametrize(
        "request_",
        [
            kept("GET", "/health"),
            kept("GET", "/api/stats"),
            kept("GET", "/api/stats", b"", b"X-API-Key: wrong"),
            kept("POST", "/webhook/start", b"{}", b"X-API-Key: wrong"),
            kept("OPTIONS", "/api/stats", b"", b"Access-Control-Request-Method: GET"),
        ],
        ids=["health", "no key", "wrong key", "webhook", "preflight"],
    )
    def test_others_do_not(self, server: Server, request_: bytes) -> None:
        with ExitStack() as stack:
            connection = stack.enter_context(closing(raw.connect(server)))
            assert ask(connection, request_).status
            flood(server, stack)
            wait_for(lambda: is_closed(connection))

    def test_who_asks_now_and_then_without_a_key_goes_on(self, server: Server) -> None:
        """As probes do, on a connection that is older than all others."""
        with ExitStack() as stack:
            probe = stack.enter_context(closing(raw.connect(server)))
            for _ in range(6):
                assert ask(probe, kept("GET", "/health")).status == 200
                flood(server, stack, MAX_KEYLESS // 2)
            assert ask(probe, kept("GET", "/health")).status == 200

    def test_of_handshakes(
        self, start_server: Callable[..., Server], pairs: dict[str, Pair]
    ) -> None:
        server = start_server(*pairs["EC"].flags)
        with ExitStack() as stack:
            connections = flood(server, stack)
            assert server.report("start", "p").status_code == 201
            wait_for(lambda: len(open_ones(connections)) <= MAX_KEYLESS)
            assert server.report("start", "p", "after").status_code == 201
        assert server.log.count(CROWDED) == 1
        assert server.stop() == 0
        assert "Traceback" not in server.log

    def test_of_the_unix_socket(self, start_server: Callable[..., Server], tmp_path: Path) -> None:
        path = str(tmp_path / "socket")
        server = start_server("--unix-socket", path)
        with ExitStack() as stack:
            connections = []
            for _ in range(FLOOD):
                one = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
                one.connect(path)
                connections.append(one)
            wait_for(lambda: len(open_ones(connections)) <= MAX_KEYLESS)
            with closing(socket.socket(socket.AF_UNIX)) as agent:
                agent.connect(path)
                assert ask(agent, report("1")).status == 201
        assert f"Over {MAX_KEYLESS} connections from the Unix socket" in server.log

    def test_of_those_who_ask_for_pages_and_read_nothing(self, server: Server) -> None:
        """Each would otherwise have its own made, and kept until it is cut."""
        path = "/docs/assets/redoc.js"
        assert server.http.get("/api/stats").status_code == 200
        before = server.memory
        with ExitStack() as stack:
            for _ in range(MAX_KEYLESS):
                connection = stack.enter_context(closing(raw.connect(server)))
                connection.sendall(kept("GET", path))
            assert server.http.get(path).status_code == 200
            assert server.report("start", "p").status_code == 201
            assert server.memory - before < 40 * 2**20
        assert server.stop() == 0

    def test_a_burst_of_agents_is_no_flood(self, server: Server) -> None:
        """All of them have connected before the first is heard."""
        with ExitStack() as stack:
            agents = []
            for number in range(FLOOD):
                agent = stack.enter_context(closing(raw.connect(server)))
                agent.sendall(report(f"burst-{number}"))
                agents.append(agent)
            assert [agent.recv(12) for agent in agents] == [b"HTTP/1.1 201"] * FLOOD
        assert CROWDED not in server.log


class TestDescriptors:
    """Of which there are fewer than clients."""

    MANY = 128
    FIT = MANY - RESERVED

    def test_reports_go_on_and_others_wait(self, start_server: Callable[..., Server]) -> None:
        server = start_server(command=limited(self.MANY))
        with ExitStack() as stack:
            first = reporters(server, stack, self.FIT)
            rest = [stack.enter_context(closing(raw.connect(server))) for _ in range(40)]
            for number, agent in enumerate(rest):
                agent.sendall(report(f"rest-{number}"))
            flood(server, stack, 200)
            for number, agent in enumerate(first):
                assert ask(agent, report(f"again-{number}")).status == 201
            key = b"X-API-Key: " + KEY.encode()
            assert ask(first[0], kept("GET", "/db-check", b"", key)).status == 200
            assert ask(first[0], kept("GET", "/api/search?q=again", b"", key)).status == 200
            assert server.log.count(EXHAUSTED) == 1
            assert f"`ulimit -n` is {self.MANY}" in server.log
            for agent in first:
                agent.close()
            assert [agent.recv(12) for agent in rest] == [b"HTTP/1.1 201"] * len(rest)
        stats = server.http.get("/api/stats/projects/p").json()
        assert stats["task_stats"]["total"] == 2 * self.FIT + len(rest)
        assert server.log.count(EXHAUSTED) == 1
        assert server.stop() == 0
        assert "Traceback" not in server.log

    def test_a_flood_leaves_places_for_agents(self, start_server: Callable[..., Server]) -> None:
        server = start_server(command=limited(self.MANY))
        with ExitStack() as stack:
            agents = reporters(server, stack, 20)
            flood(server, stack, 300)
            for number, agent in enumerate(agents):
                assert ask(agent, report(f"again-{number}")).status == 201
            assert server.report("start", "p", "new").status_code == 201
        assert EXHAUSTED not in server.log
        assert "Traceback" not in server.log

    def test_the_limit_is_raised_as_far_as_it_may_be(
        self, start_server: Callable[..., Server]
    ) -> None:
        server = start_server(command=limited(self.MANY, "-S"))
        with ExitStack() as stack:
            reporters(server, stack, 2 * self.MANY)
        assert EXHAUSTED not in server.log

    @needs_linux
    @pytest.mark.parametrize("loop", LOOPS)
    def test_if_they_run_out_nevertheless_it_is_said_once(
        self, start_server: Callable[..., Server], loop: str
    ) -> None:
        server = start_server(command=LOOPS[loop])
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        with ExitStack() as stack:
            agent, other = (stack.enter_context(closing(raw.connect(server))) for _ in range(2))
            assert ask(agent, report("1")).status == 201
            assert ask(other, report("2")).status == 201
            used = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, limits[1]))
            waiting = stack.enter_context(closing(raw.connect(server)))
            waiting.sendall(report("3"))
            wait_for(lambda: EXHAUSTED in server.log)
            assert ask(agent, report("4")).status == 201
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            assert waiting.recv(12) == b"HTTP/1.1 201"
        assert server.log.count(EXHAUSTED) == 1
        assert server.stop() == 0
        assert "Traceback" not in server.log


@pytest.mark.parametrize("target", ["/health", "/api/info", "/webhook/start"])
def test_a_revoked_key_keeps_no_connections(
    start_server: Callable[..., Server], target: str
) -> None:
    server = start_server(command=limited(256))
    key = b"X-API-Key: " + make_key(server, "hostile", "report").encode()
    with ExitStack() as stack:
        hostile = []
        for _ in range(256 - RESERVED - 1):  # and the one of `server.http`
            hostile.append(stack.enter_context(closing(raw.connect(server))))
            assert ask(hostile[-1], kept("GET", "/api/info", b"", key)).status == 200
        assert server.http.delete("/api/keys/hostile").status_code == 204
        method = "POST" if target.startswith("/webhook") else "GET"
        for connection in hostile:
            assert ask(connection, kept(method, target, b"", key)).status in (200, 401, 429)
        assert len(reporters(server, stack, 20)) == 20


def report_body(task: str) -> bytes:
    return report(task).partition(b"\r\n\r\n")[2]


def read_until(connection: socket.socket, text: bytes) -> bytes:
    """What comes until the text has come. Fails by a timeout."""
    received = b""
    while text not in received:
        chunk = connection.recv(65_536)
        assert chunk, received
        received += chunk
    return received
