"""What is asked of the server by its Unix socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import unix_connect

from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server

pytestmark = needs_posix


@pytest.fixture
def served(start_server: Callable[..., Server], socket_path: Path) -> Server:
    return start_server("--unix-socket", str(socket_path))


@pytest.fixture
def http(served: Server, socket_path: Path) -> Iterator[httpx.Client]:
    """A client that comes by the socket, without a key."""
    with by(socket_path) as client:
        yield client


def by(socket_path: Path) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(socket_path))
    return httpx.Client(transport=transport, base_url="http://localhost", timeout=20)


def answers(socket_path: Path) -> bool:
    with by(socket_path) as client:
        return client.get("/health").status_code == 200


def test_it_listens_there_too(served: Server, socket_path: Path, http: httpx.Client) -> None:
    assert served.ready["unix_socket"] == str(socket_path)
    assert f"Listening on {served.url} and {socket_path}, " in served.log
    assert http.get("/health").status_code == served.http.get("/health").status_code == 200
    report = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    assert http.post("/webhook/start", json=report).status_code == 401
    http.headers["X-API-Key"] = KEY
    assert http.post("/webhook/start", json=report).status_code == 201
    assert served.task("p", "t")["status"] == "running"
    for address in ("/", "/docs", "/api/projects", "/api/info", "/redis-check"):
        assert http.get(address).status_code == 200
    assert http.get("/api/projects", headers={"Host": "evil.example"}).status_code == 400
    assert http.get("/proof?key_id=0123456789abcdef&nonce=" + "A" * 22).status_code == 404
    assert "Traceback" not in served.log


def test_with_a_certificate_it_is_without(
    start_server: Callable[..., Server], socket_path: Path, tmp_path: Path
) -> None:
    from tests.support.certificates import make

    server = start_server(*make(tmp_path / "pair").flags, "--unix-socket", str(socket_path))
    assert server.url.startswith("https://")
    assert answers(socket_path)
    with by(socket_path) as client:
        answer = client.post("/api/session", headers={"X-API-Key": KEY})
        assert "Secure" not in answer.headers["Set-Cookie"]


def test_wrong_keys_are_counted_under_one_name(served: Server, socket_path: Path) -> None:
    """Nobody has an address there."""
    statuses = []
    for _ in range(11):
        with by(socket_path) as client:
            answer = client.get("/api/projects", headers={"X-API-Key": "wrong"})
            statuses.append(answer.status_code)
    assert statuses == [401] * 10 + [429]
    with by(socket_path) as client:
        answer = client.get("/api/projects", headers={"X-API-Key": KEY})
        assert answer.status_code == 200
    assert "Wrong API keys from the Unix socket: 1" in served.log
    wrong = served.http.get("/api/projects", headers={"X-API-Key": "wrong"})
    assert wrong.status_code == 401, "another address"


def test_rate_limits_count_its_requests(
    start_server: Callable[..., Server], socket_path: Path
) -> None:
    start_server("--unix-socket", str(socket_path), "--rate-limit-api", "2", limits=True)
    with by(socket_path) as client:
        client.headers["X-API-Key"] = KEY
        statuses = [client.get("/api/projects").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_server_sent_events(served: Server, http: httpx.Client) -> None:
    with http.stream("GET", "/api/events/stream", headers={"X-API-Key": KEY}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        served.report("start", "sse")
        assert "event: task_started" in (next(lines), next(lines), next(lines))


def test_websockets(served: Server, socket_path: Path) -> None:
    url = f"ws://localhost/ws?api_key={KEY}"
    with unix_connect(str(socket_path), url) as subscriber:
        served.report("start", "wss")
        assert '"task_started"' in subscriber.recv(timeout=20)
        subscriber.send('{"type": "ping"}')
        assert '"pong"' in subscriber.recv(timeout=20)
    with unix_connect(str(socket_path), url, origin="http://x.example") as foreign:
        with suppress(Exception):
            foreign.recv(timeout=20)
        assert foreign.close_code == 3003
    assert "Traceback" not in served.log
