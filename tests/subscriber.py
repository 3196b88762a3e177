"""Subscribers of `/ws`: orderly ones, and one that does what no library would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from tests.server import KEY, Server

PATIENCE = 20.0  # seconds, for anything that is to arrive
CUT = Close(1006, "no close frame")


def address(server: Server, project: str | None = None, since: Any = None, **query: Any) -> str:
    """Of `/ws`, with the key unless `api_key` says otherwise; what is None is left out."""
    given = {"api_key": KEY, "project": project, "since": since} | query
    return f"{server.ws_url}/ws?" + urlencode({k: v for k, v in given.items() if v is not None})


def subscribe(url: str, **options: Any) -> ClientConnection:
    """Open a WebSocket; the options are connect()'s."""
    return connect(url, proxy=None, open_timeout=PATIENCE, **options)


def receive(subscriber: ClientConnection, count: int) -> list[dict[str, Any]]:
    """The next messages."""
    return [json.loads(subscriber.recv(timeout=PATIENCE)) for _ in range(count)]


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
            subscriber.recv(timeout=PATIENCE)
        except ConnectionClosed as error:
            closed = error.rcvd or CUT
    return closed


class RawSubscriber:
    """One that reads only when told to, answers no ping, and sends what it is given."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((parts.hostname, parts.port))
        self._protocol = ClientProtocol(parse_uri(url), max_size=None)
        self._protocol.send_request(self._protocol.connect())
        self.socket.sendall(b"".join(self._protocol.data_to_send()))
        self._events = self._read()
        self.closed = CUT
        answer = next(self._events)
        assert isinstance(answer, Response)
        assert answer.status_code == 101

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> None:
        """One frame."""
        self.socket.sendall(Frame(opcode, data, fin).serialize(mask=True))

    def frames(self) -> Iterator[Frame]:
        """What comes, until the server ends the connection."""
        for event in self._events:
            assert isinstance(event, Frame)
            yield event

    def next(self, opcode: Opcode) -> bytes:
        """The data of the next frame of this kind."""
        return next(bytes(frame.data) for frame in self.frames() if frame.opcode is opcode)

    def texts(self) -> Iterator[bytes]:
        """The messages that come, until the server closes."""
        for frame in self.frames():
            if frame.opcode is Opcode.TEXT:
                yield bytes(frame.data)
            elif frame.opcode is Opcode.CLOSE:
                self.closed = Close.parse(frame.data)
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

    def _read(self) -> Iterator[Any]:
        while data := self.socket.recv(65536):
            self._protocol.receive_data(data)
            self._protocol.data_to_send()  # pongs and the like: this one is silent
            yield from self._protocol.events_received()
