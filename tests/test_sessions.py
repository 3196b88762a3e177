"""Browser sessions, as a page's requests show them: who gets one, what it is good for, its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.clocked import ClockedServer
from tests.server import KEY, Server


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
        lambda ends, signature: f"{int(ends) + 1}.{signature}",
        lambda ends, signature: f"{ends}.{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
        lambda ends, signature: f"{ends}.",
        lambda ends, signature: ends,
        lambda ends, signature: f"-1.{signature}",
        lambda ends, signature: f"{'9' * 400}.{signature}",
        lambda ends, signature: "",
    ],
)
def test_a_forged_one_is_none(visitor: Visitor, tampered: Callable[[str, str], str]) -> None:
    visitor.sign_in()
    name, _, value = visitor.cookie.partition("=")
    forged = tampered(*value.split("."))
    answer = httpx.get(
        f"{visitor.server.url}/api/stats",
        headers={"Cookie": f"{name}={forged}"},
        verify=False,
        trust_env=False,
    )
    assert answer.status_code == 401


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
