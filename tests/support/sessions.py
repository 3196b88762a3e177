"""Browser sessions, as used by a browser or a thief of its cookie."""

from __future__ import annotations

from contextlib import suppress

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.server import Server

# Seconds: half of the interval after which a stream would notice by itself.
SOON = 7.0


def sign_in(server: Server) -> dict[str, str]:
    """The header with the session's cookie."""
    answer = server.http.post("/api/session")
    server.http.cookies.clear()
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def sign_out(server: Server, cookie: dict[str, str], query: str = "") -> None:
    answer = httpx.delete(f"{server.url}/api/session{query}", headers=cookie, trust_env=False)
    assert answer.status_code == 204


def socket_of(server: Server, cookie: dict[str, str]) -> ClientConnection:
    return connect(f"{server.ws_url}/ws", additional_headers=cookie, proxy=None)


def close_code(socket: ClientConnection) -> int | None:
    """The server's close code; None: it has not closed soon."""
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            socket.recv(timeout=SOON)
    return socket.close_code
