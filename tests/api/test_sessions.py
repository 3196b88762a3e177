"""Browser sessions, as a page's requests show them: who gets one, what it is good for, its end."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support import raw
from tests.support.access import holder
from tests.support.clocked import ClockedServer
from tests.support.server import KEY, Server, wait_for
from tracker.auth.keys import Keys
from tracker.auth.sessions import EndedSessions, Sessions
from tracker.clock import SystemClock
from tracker.errors import Unavailable
from tracker.store.group import GroupCommit


class Visitor:
    """A client with cookies and without the key, like a page."""

    def __init__(self, server: Server | ClockedServer) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, verify=False, trust_env=False, timeout=20)

    def sign_in(self, key: str = KEY) -> httpx.Response:
        return self.http.post("/api/session", headers={"X-API-Key": key})

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    @property
    def is_known(self) -> bool:
        return self.http.get("/api/projects").status_code == 200


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    """Make visitors of servers."""
    with contextlib.ExitStack() as stack:

        def visit_(server: Server | ClockedServer) -> Visitor:
            visitor = Visitor(server)
            stack.enter_context(visitor.http)
            return visitor

        yield visit_


@pytest.fixture
def visitor(visit: Callable[..., Visitor], shared_server: Server) -> Visitor:
    return visit(shared_server)


def test_the_key_buys_a_session(visitor: Visitor) -> None:
    assert not visitor.is_known
    answer = visitor.sign_in()
    assert answer.status_code == 201
    assert answer.json()["expires_at"].endswith("Z")
    assert visitor.is_known


def test_scripts_and_other_sites_cannot_have_the_cookie(visitor: Visitor) -> None:
    [cookie] = SimpleCookie(visitor.sign_in().headers["Set-Cookie"]).values()
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == str(12 * 3600)
    assert not cookie["secure"]  # a browser would drop it: this server speaks plain HTTP
    assert KEY not in cookie.value


def test_behind_tls_the_cookie_keeps_to_tls(visitor: Visitor) -> None:
    headers = {"X-API-Key": KEY, "X-Forwarded-Proto": "https"}
    answer = visitor.http.post("/api/session", headers=headers)
    [cookie] = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert cookie["secure"] is True


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x"])
def test_a_wrong_key_buys_nothing(visitor: Visitor, key: str) -> None:
    answer = visitor.sign_in(key)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_a_session_does_not_prolong_itself(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.http.post("/api/session").status_code == 401


def test_signing_out(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.http.delete("/api/session").status_code == 204
    assert not visitor.is_known


def test_the_key_alone_signs_nobody_out(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.server.http.delete("/api/session").status_code == 204
    assert visitor.is_known


def test_signing_out_with_the_key_beside_the_session(visitor: Visitor) -> None:
    visitor.sign_in()
    cookie = visitor.cookie
    assert visitor.http.delete("/api/session", headers={"X-API-Key": KEY}).status_code == 204
    assert not known(visitor.server, cookie)


@pytest.mark.parametrize(
    ("query", "ends"),
    [("all", True), ("all=", True), ("all=true", True), ("all=1", True), ("all=false", False)],
)
def test_who_is_signed_out(
    clocked: ClockedServer, visit: Callable[..., Visitor], query: str, *, ends: bool
) -> None:
    one, other = visit(clocked), visit(clocked)
    for visitor in (one, other):
        visitor.sign_in()
    assert one.http.delete(f"/api/session?{query}").status_code == 204
    assert not one.is_known
    assert other.is_known != ends


def test_who_is_signed_out_is_said_clearly(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.http.delete("/api/session?all=perhaps").status_code == 422
    assert visitor.is_known


def test_signing_out_is_written_down_later_if_it_cannot_be_now(
    tmp_path: Path, visit: Callable[..., Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"secret_key": "secret-of-the-suite"}
    server = ClockedServer(tmp_path / "tracker.db", **secret)
    try:
        visitor = visit(server)
        visitor.sign_in()
        cookie = visitor.cookie
        with monkeypatch.context() as broken:

            def refuse(*_: object) -> None:
                raise Unavailable("The disk is full.")

            broken.setattr(GroupCommit, "submit", refuse)
            answer = visitor.http.delete("/api/session")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert not visitor.cookie
        assert not known(server, cookie)
    finally:
        server.stop()
    again = ClockedServer(tmp_path / "tracker.db", **secret)
    try:
        assert not known(again, cookie)
    finally:
        again.stop()


def test_what_would_be_over_is_forgotten(tmp_path: Path, visit: Callable[..., Visitor]) -> None:
    server = ClockedServer(tmp_path / "tracker.db")
    try:
        for hours in (0, 1, 11.5):
            server.clock.advance(seconds=hours * 3600)
            visitor = visit(server)
            visitor.sign_in()
            visitor.http.delete("/api/session")
    finally:
        server.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "tracker.db")) as database:
        assert database.execute("SELECT count(*) FROM revoked_sessions").fetchone() == (2,)


def test_streams_end_with_its_12_hours(clocked: ClockedServer) -> None:
    cookie = clocked.http.post("/api/session").headers["Set-Cookie"].partition(";")[0]
    clocked.http.cookies.clear()
    clocked.clock.advance(seconds=12 * 3600 - 0.05)
    address = f"{clocked.url.replace('http', 'ws', 1)}/ws"
    with (
        connect(address, additional_headers={"Cookie": cookie}, proxy=None) as socket,
        httpx.stream(
            "GET", f"{clocked.url}/api/events/stream", headers={"Cookie": cookie}, timeout=10
        ) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == ": connected"
        clocked.clock.advance(seconds=1)
        assert list(lines) == [""]
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
        assert socket.close_code == 3000


def test_many_sign_out_at_once(clocked: ClockedServer) -> None:
    """While the sockets are on their way out."""
    cookie = clocked.http.post("/api/session").headers["Set-Cookie"].partition(";")[0]
    address = f"{clocked.url.replace('http', 'ws', 1)}/ws"
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(connect(address, additional_headers={"Cookie": cookie}, proxy=None))
            for _ in range(20)
        ]
        request = raw.request("DELETE", "/api/session?all").replace(b"Connection: close\r\n", b"")
        where = urlsplit(clocked.url)
        connections = [
            stack.enter_context(socket.create_connection((where.hostname, where.port), 20))
            for _ in range(20)
        ]
        for connection in connections:
            connection.sendall(request)
        assert {connection.recv(100)[:13] for connection in connections} == {b"HTTP/1.1 204 "}
        for opened in sockets:
            with pytest.raises(ConnectionClosed):
                opened.recv(timeout=10)


def test_who_reads_nothing_is_closed_too(server: Server) -> None:
    cookie = server.http.post("/api/session").headers["Set-Cookie"].partition(";")[0]
    for number in range(100):  # more than the machine keeps on the way
        server.report("status", "p", f"{number}", message="x" * 10_000)
    for _ in range(20):
        server.report("status", "p", metadata={"x": "x" * 1_000_000})
    shake = raw.request("GET", "/ws?since=0", [
        b"Cookie: " + cookie.encode(), b"Connection: Upgrade", b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ])  # fmt: skip
    shake = shake.replace(b"Connection: close\r\n", b"")
    shake = shake.replace(b"X-API-Key: " + KEY.encode() + b"\r\n", b"")
    with contextlib.closing(raw.connect(server)) as connection:
        connection.sendall(shake)
        assert connection.recv(100).startswith(b"HTTP/1.1 101 ")

        def sockets() -> int:
            stats = server.http.get("/api/websocket/stats", headers={"X-API-Key": KEY})
            return int(stats.json()["total_connections"])

        wait_for(lambda: sockets() == 1)
        assert server.http.delete("/api/session", headers={"Cookie": cookie}).status_code == 204
        wait_for(lambda: sockets() == 0, 10)


def test_one_of_an_older_version_is_over_and_no_guess() -> None:
    keys = Keys(KEY, "secret-of-the-suite")
    sessions = Sessions(keys, SystemClock(), Nowhere(), lambda _id: holder())
    ends = str(SystemClock().now_ms() + 3_600_000)
    session = sessions.read(f"{ends}.{sessions._sign(ends)}")
    assert session is not None
    assert sessions.principal(session) is None


@pytest.mark.parametrize("epoch", ["", "x", "é; Path=/\n."])
def test_any_text_is_an_epoch(epoch: str) -> None:
    def at(epoch: str) -> Sessions:
        return Sessions(
            Keys(KEY, "secret-of-the-suite"), SystemClock(), Nowhere(epoch), lambda _id: holder()
        )

    token, _ = at(epoch).issue(holder())
    assert re.fullmatch(r"[\w.-]+", token)
    session = at(epoch).read(token)
    assert session is not None
    assert at(epoch).principal(session) is not None
    assert at("another").read(token) == session
    assert at("another").principal(session) is None


class Nowhere:
    """Keeps nothing."""

    def __init__(self, epoch: str = "") -> None:
        self.ended_sessions = EndedSessions(epoch, {})

    async def save_ended_sessions(self, ended: EndedSessions) -> None:
        self.ended_sessions = ended


def known(server: Server | ClockedServer, cookie: str) -> bool:
    answer = httpx.get(f"{server.url}/api/stats", headers={"Cookie": cookie}, trust_env=False)
    return answer.status_code == 200


def test_it_ends_after_12_hours(clocked: ClockedServer, visit: Callable[..., Visitor]) -> None:
    visitor = visit(clocked)
    visitor.sign_in()
    token = visitor.cookie
    clocked.clock.advance(seconds=12 * 3600 - 1)
    assert visitor.is_known
    clocked.clock.advance(seconds=1)
    assert (
        httpx.get(
            f"{clocked.url}/api/stats", headers={"Cookie": token}, verify=False, trust_env=False
        ).status_code
        == 401
    )


@pytest.mark.parametrize(
    "tampered",
    [
        lambda ends, rest, signature: f"{int(ends) + 1}.{rest}.{signature}",
        lambda ends, rest, signature: f"{ends}.x{rest}.{signature}",
        lambda ends, rest, signature: f"{ends}.{rest}x.{signature}",
        lambda ends, rest, signature: f"{ends}.{rest}.{signature[::-1]}",
        lambda ends, rest, signature: f"{ends}.{rest}.",
        lambda ends, rest, _: f"{ends}.{rest}",
        lambda ends, rest, signature: f"{ends}.{signature}",
        lambda ends, rest, signature: f"{'9' * 400}.{rest}.{signature}",
        lambda ends, rest, signature: f"{signature}",
        lambda ends, rest, signature: "",
    ],
)
def test_a_forged_one_is_none(visitor: Visitor, tampered: Callable[[str, str, str], str]) -> None:
    visitor.sign_in()
    name, _, value = visitor.cookie.partition("=")
    ends, _, rest = value.partition(".")
    rest, _, signature = rest.rpartition(".")
    forged = tampered(ends, rest, signature)
    answer = httpx.get(
        f"{visitor.server.url}/api/stats",
        headers={"Cookie": f"{name}={forged}"},
        verify=False,
        trust_env=False,
    )
    assert answer.status_code in (401, 429)  # the latter after many of them


@pytest.mark.parametrize(
    ("changed", "lasts"),
    [
        ({}, True),
        ({"API_KEY": "another-key-of-the-suite"}, False),
        ({"SECRET_KEY": "z" * 20}, False),
    ],
)
def test_another_key_ends_it(
    start_server: Callable[..., Server],
    visit: Callable[..., Visitor],
    changed: dict[str, str],
    *,
    lasts: bool,
) -> None:
    keys = {"SECRET_KEY": "secret-of-the-suite"}
    server = start_server(variables=keys)
    visitor = visit(server)
    visitor.sign_in()
    server.stop()
    again = start_server("--db", str(server.database), variables={**keys, **changed})
    headers = {"Cookie": visitor.cookie}
    answer = httpx.get(f"{again.url}/api/stats", headers=headers, verify=False, trust_env=False)
    assert (answer.status_code == 200) == lasts


FOREIGN: list[dict[str, str]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},  # a CORS origin: it has to use the key
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_change_nothing_with_it(
    visitor: Visitor, headers: dict[str, str], project: str
) -> None:
    visitor.sign_in()
    answer = visitor.http.delete("/api/session", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    body = {"project": project, "task": "t", "task_id": "1", "agent": "a"}
    assert visitor.http.post("/webhook/start", json=body, headers=headers).status_code == 403
    assert visitor.is_known


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxied.example"}]
)
def test_our_own_pages_do(visitor: Visitor, headers: dict[str, str], project: str) -> None:
    visitor.sign_in()
    body = {"project": project, "task": "t", "task_id": "1", "agent": "a"}
    own = {"Origin": visitor.server.url, **headers}
    assert visitor.http.post("/webhook/start", json=body, headers=own).status_code == 201


def test_the_key_works_from_everywhere(visitor: Visitor, project: str) -> None:
    visitor.sign_in()
    body = {"project": project, "task": "t", "task_id": "1", "agent": "a"}
    headers = {"Origin": "http://evil.example", "X-API-Key": KEY}
    assert visitor.http.post("/webhook/start", json=body, headers=headers).status_code == 201


def _close_code(server: Any, headers: dict[str, str]) -> int | None:
    """How the server closes a WebSocket; None if it lets it talk."""
    origin = headers.pop("Origin", None)
    with connect(
        f"{server.ws_url}/ws", additional_headers=headers, origin=origin, proxy=None
    ) as socket:
        try:
            socket.send('{"type":"ping"}')
            socket.recv(timeout=20)
        except ConnectionClosed:
            return socket.close_code
        return None


def test_a_websocket_takes_it_from_our_own_pages_only(visitor: Visitor) -> None:
    server = visitor.server
    visitor.sign_in()
    cookie = {"Cookie": visitor.cookie}
    assert _close_code(server, {**cookie, "Origin": server.url}) is None
    assert _close_code(server, {**cookie, "Origin": "http://localhost:3000"}) == 3003
    assert _close_code(server, {"Origin": server.url}) == 3000
