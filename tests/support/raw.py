"""Raw HTTP and WebSocket: what a client library would refuse to send."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.support.server import KEY, Server

# Seconds after which there is no response.
TIMEOUT = 1.0

HOST = b"Host: localhost"

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def connect(server: Server, timeout: float = 20) -> socket.socket:
    """A connection to the server, with TLS if it speaks that."""
    connection = connect_plainly(server, timeout)
    if server.trust is None:
        return connection
    return server.trust.wrap_socket(connection, server_hostname=urlsplit(server.url).hostname)


def connect_plainly(server: Server, timeout: float = 20) -> socket.socket:
    """A connection on which nobody has begun with TLS."""
    where = urlsplit(server.url)
    return socket.create_connection((where.hostname, where.port), timeout)


class Answer(NamedTuple):
    """What came back; status 0: nothing, the connection was closed."""

    status: int
    head: bytes
    body: bytes


def request(
    method: str, target: str | bytes, headers: Iterable[bytes] = (), body: bytes | None = None
) -> bytes:
    """A request that asks for the connection to be closed after it."""
    target = target.encode() if isinstance(target, str) else target
    lines = [
        b"%b %b HTTP/1.1" % (method.encode(), target),
        HOST,
        b"X-API-Key: " + KEY.encode(),
        b"Connection: close",
        *headers,
    ]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def head(method: str, target: str, headers: tuple[bytes, ...]) -> bytes:
    """A request's head with these headers and no other."""
    return b"\r\n".join((f"{method} {target} HTTP/1.1".encode(), *headers, b"", b""))


def webhook(kind: str, body: bytes, *headers: bytes) -> bytes:
    """A webhook with any body."""
    return request("POST", f"/webhook/{kind}", (b"Content-Type: application/json", *headers), body)


def exchange(server: Server, data: bytes) -> Answer:
    """Send bytes, then read until the server closes. After a timeout, as it may wait for the rest
    of a broken request, shut down the sending side."""
    with closing(connect(server)) as connection:
        with suppress(ConnectionError):  # it may close before all is sent
            connection.sendall(data)
        received = b""
        whole = connection.gettimeout()
        connection.settimeout(TIMEOUT)  # not `select`, which a flood's descriptors are too many for
        with suppress(TimeoutError):
            while True:
                try:
                    chunk = connection.recv(65_536)
                except ConnectionError:
                    chunk = b""
                if not chunk:
                    return parse(received)
                received += chunk
        connection.settimeout(whole)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        return parse(received + read_all(connection))


def receive(connection: socket.socket, size: int = 65_536) -> bytes:
    """What comes next, at least a byte of it. Raises ConnectionError at the end, where a loop that
    waits for more would not end."""
    chunk = connection.recv(size)
    if not chunk:
        raise ConnectionError("closed")
    return chunk


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    with suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def parse(received: bytes) -> Answer:
    """The first answer that is not a 1xx."""
    head, _, body = received.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):
        head, _, body = body.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return Answer(int(head[9:12]) if head else 0, head, body[: int(length[1])] if length else body)


def open_websocket(server: Server, query: str = "") -> socket.socket:
    """A connection on which the handshake is done."""
    connection = connect(server)
    lines = [
        f"GET /ws?api_key={KEY}{query} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(connection, 1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return connection


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    """One masked frame (RFC 6455, section 5.2)."""
    size = len(payload)
    first = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2)
    else:
        length = b"\xff" + size.to_bytes(8)
    mask = b"mask"  # always the same, so that a test made of frames keeps its name
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return first + length + mask + masked


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    """The next frame: opcode and payload. Raises ConnectionError at the end."""
    first, size = _exactly(connection, 2)
    if size == 126:
        size = int.from_bytes(_exactly(connection, 2))
    elif size == 127:
        size = int.from_bytes(_exactly(connection, 8))
    return first & 0x0F, _exactly(connection, size)


def read_close_code(connection: socket.socket) -> int:
    """Skip to the close frame; its code. 0: the connection ended without one."""
    try:
        while True:
            opcode, payload = read_frame(connection)
            if opcode == CLOSE:
                return int.from_bytes(payload[:2])
    except ConnectionError:
        return 0


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += receive(connection, size - len(data))
    return data
