"""Subscribers of `/ws`: by a library, and a raw one that misbehaves."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from tests.support import raw
from tests.support.raw import CLOSE, TEXT, frame, open_websocket, read_frame
from tests.support.raw import connect as connect_raw
from tests.support.server import KEY, Server

TIMEOUT = 20.0  # seconds, for anything that is to arrive
CUT = Close(1006, "no close frame")


def address(server: Server, project: str | None = None, since: Any = None, **query: Any) -> str:
    """Of `/ws`, with the key unless `api_key` says otherwise; what is None is left out."""
    given = {"api_key": KEY, "project": project, "since": since} | query
    return f"{server.ws_url}/ws?" + urlencode({k: v for k, v in given.items() if v is not None})


def subscribe(url: str, **options: Any) -> ClientConnection:
    """Open a WebSocket; the options are connect()'s."""
    return connect(url, proxy=None, open_timeout=TIMEOUT, **options)


def subscribe_by_tls(server: Server, url: str, **options: Any) -> ClientConnection:
    """Likewise, on a connection that has had a response: Python's ssl may hang where one thread
    receives TLS's session tickets while another one writes."""
    connection = connect_raw(server)
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while not raw.receive(connection).endswith(b"}"):
        pass
    return subscribe(url.replace("wss://", "ws://"), sock=connection, **options)


def receive(subscriber: ClientConnection, count: int) -> list[dict[str, Any]]:
    """The next messages."""
    return [json.loads(subscriber.recv(timeout=TIMEOUT)) for _ in range(count)]


def ids(messages: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in messages]


def nothing_more(subscriber: ClientConnection) -> bool:
    """Whether all that the server had for it has been received: the answer to a ping is next."""
    subscriber.send('{"type": "ping"}')
    (message,) = receive(subscriber, 1)
    return bool(message["type"] == "pong")


def end(subscriber: ClientConnection) -> Close:
    """How the server closes, whatever it sends before."""
    closed = None
    while closed is None:
        try:
            subscriber.recv(timeout=TIMEOUT)
        except ConnectionClosed as error:
            closed = error.rcvd or CUT
    return closed


class RawSubscriber:
    """Reads only on request, answers no ping, and sends any frame."""

    def __init__(self, server: Server, project: str | None = None, since: Any = None) -> None:
        given = {"project": project, "since": since}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        self.socket = open_websocket(server, f"&{query}")
        self.closed = CUT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """One frame."""
        self.socket.sendall(frame(opcode, payload))

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """What comes, by opcode, until the server ends the connection."""
        with suppress(ConnectionError):
            while True:
                yield read_frame(self.socket)

    def next(self, wanted: int) -> bytes:
        """What the next frame of this kind holds."""
        return next(payload for opcode, payload in self.frames() if opcode == wanted)

    def texts(self) -> Iterator[bytes]:
        """The messages that come, until the server closes."""
        for opcode, payload in self.frames():
            if opcode == TEXT:
                yield payload
            elif opcode == CLOSE:
                self.closed = Close.parse(payload)
                return

    def end(self) -> Close:
        """How the server closes, whatever it sends before."""
        for _ in self.texts():
            pass
        return self.closed

    def cut(self) -> None:
        """Vanish: the server gets a reset, and no close frame."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
