"""Many WebSockets in one process, light enough not to be what is measured.

All subscribers of a project are sent the same bytes. So only the first to receive a frame looks
into it; what the others receive is compared with that as memory. This way every byte for every
subscriber is checked, at the cost of copying it.
"""

from __future__ import annotations

import base64
import bisect
import math
import select
import socket
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import orjson
from _environment import SetupError
from _load import KEY, PROJECT

# Opcodes of RFC 6455 (section 5.2), in frames that are a whole message.
_TEXT: Final = 0x81
_PING: Final = 0x89
_PONG: Final = 0x8A

# What the kernel holds for a subscriber between two reads, in bytes.
_RECEIVE_BUFFER: Final = 1024 * 1024

# Seconds without data after which no more is expected.
_IDLE_SECONDS: Final = 5.0


def connect(url: str, since: int) -> socket.socket:
    """A WebSocket that follows the project after the event `since`."""
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    connection.settimeout(30)
    connection.connect((parts.hostname, parts.port))
    connection.sendall(
        f"GET /ws?project={PROJECT}&since={since} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
        f"X-API-Key: {KEY}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # a byte at a time, to take no frame along
        received = connection.recv(1)
        if not received:
            raise ConnectionError(f"the server hung up after {head!r}")
        head += received
    if not head.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(f"no WebSocket: {head!r}")
    return connection


class WrongBytesError(SetupError):
    """A subscriber was sent what it should not have been."""


class Frames:
    """The frames of the stream that all subscribers are sent, and the ids of their events."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.ends: list[int] = []
        self.ids: list[int] = []

    def append(self, frame: memoryview) -> None:
        """A frame that no subscriber was sent before."""
        self.bytes += frame
        self.ends.append(len(self.bytes))
        self.ids.append(orjson.loads(frame[_header_size(frame) :])["id"])

    def start_of_frame(self, offset: int) -> int:
        """Where the frame begins that holds, or follows, the byte before `offset`."""
        complete = bisect.bisect_right(self.ends, offset)
        return self.ends[complete - 1] if complete else 0


class Subscriber:
    """One WebSocket: how far it is in the stream, and when it got there."""

    def __init__(self, connection: socket.socket, frames: Frames) -> None:
        self.socket = connection
        self.offset = 0
        self.arrivals: list[tuple[int, float]] = []  # offsets and when they were reached
        self._frames = frames
        self._partial = b""  # of a frame that no subscriber has received completely

    def take(self, data: memoryview) -> None:
        """Check what was received. Raises WrongBytesError."""
        if self._partial:
            data = memoryview(self._partial + data)
            self._partial = b""
        stream = self._frames.bytes
        known = data[: len(stream) - self.offset]
        if stream.startswith(known, self.offset):
            self.offset += len(known)
            new = data[len(known) :]
        else:  # something between the events, a ping: go through frame by frame
            begin = self._frames.start_of_frame(self.offset)
            new = memoryview(stream[begin : self.offset] + data)
            self.offset = begin
        if new:
            self._check_frames(new)
        if not self.arrivals or self.offset > self.arrivals[-1][0]:
            self.arrivals.append((self.offset, time.perf_counter()))

    def arrival(self, end: int) -> float:
        """When the stream had arrived up to `end`; infinite if it never did."""
        index = bisect.bisect_left(self.arrivals, (end, 0.0))
        return self.arrivals[index][1] if index < len(self.arrivals) else math.inf

    def _check_frames(self, data: memoryview) -> None:
        while size := _frame_size(data):
            frame, data = data[:size], data[size:]
            if frame[0] == _PING:
                self._pong(frame[2:])
            elif frame[0] != _TEXT:
                raise WrongBytesError(f"a frame that is no event: {bytes(frame)!r}")
            else:
                if self.offset == len(self._frames.bytes):
                    self._frames.append(frame)
                elif not self._frames.bytes.startswith(frame, self.offset):
                    raise WrongBytesError(f"not what others were sent: {bytes(frame)!r}")
                self.offset += size
        self._partial = bytes(data)

    def _pong(self, payload: memoryview) -> None:
        # Masked with zeros: the payload as it is.
        self.socket.sendall(bytes([_PONG, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


class Subscribers:
    """Those of one run."""

    def __init__(self, connections: Iterable[socket.socket], since: int) -> None:
        """WebSockets that are sent what comes after the event `since`."""
        self.frames = Frames()
        self._since = since
        self._poll = select.epoll()
        self._buffer = bytearray(_RECEIVE_BUFFER)
        self._by_fd: dict[int, Subscriber] = {}
        for connection in connections:
            connection.setblocking(False)
            self._by_fd[connection.fileno()] = Subscriber(connection, self.frames)
            self._poll.register(connection, select.EPOLLIN)

    def __len__(self) -> int:
        return len(self._by_fd)

    def fileno(self) -> int:
        """Readable when anything has arrived for anyone."""
        return self._poll.fileno()

    def read(self) -> bool:
        """Take what has arrived; whether anything had. Raises WrongBytesError, ConnectionError."""
        view = memoryview(self._buffer)
        ready = self._poll.poll(0, len(self)) if len(self) else []
        for fd, _ in ready:
            subscriber = self._by_fd[fd]
            size = subscriber.socket.recv_into(self._buffer)
            if not size:
                raise ConnectionError("the server hung up")
            subscriber.take(view[:size])
        return bool(ready)

    def read_up_to(self, last: int) -> None:
        """Read until all have the event `last`, or nothing more comes."""
        received_at = time.monotonic()
        while self.missed(last) and time.monotonic() - received_at < _IDLE_SECONDS:
            if self.read():
                received_at = time.monotonic()
            time.sleep(0.01)

    def missed(self, last: int) -> list[str]:
        """Which subscribers were not sent the events after `since` up to `last`, each once, in
        order."""
        if not len(self):
            return []
        failures = []
        if self.frames.ids != list(range(self._since + 1, last + 1)):
            count = len(self.frames.ids)
            failures.append(f"{last - self._since} events recorded, {count} sent or out of order")
        behind = sum(s.offset != len(self.frames.bytes) for s in self._by_fd.values())
        if behind:
            failures.append(f"{behind} of {len(self)} subscribers were not sent everything")
        return failures

    def deliveries(self) -> int:
        """How many events were delivered, to all together."""
        return len(self.frames.ids) * len(self)

    def last_arrivals(self) -> dict[int, float]:
        """When the last subscriber had each event, by its id."""
        return {
            event_id: max(subscriber.arrival(end) for subscriber in self._by_fd.values())
            for event_id, end in zip(self.frames.ids, self.frames.ends, strict=True)
        }

    def last_arrival(self) -> float:
        """When the last of all was delivered; 0.0 with none."""
        return max((s.arrival(s.offset) for s in self._by_fd.values()), default=0.0)

    def close(self) -> None:
        """Hang up."""
        for subscriber in self._by_fd.values():
            subscriber.socket.close()
        self._poll.close()


def _header_size(data: memoryview) -> int:
    """RFC 6455, section 5.2; a server does not mask."""
    return {126: 4, 127: 10}.get(data[1], 2)


def _frame_size(data: memoryview) -> int:
    """The size of the first frame, header included; 0 if it is not all there."""
    if len(data) < 2 or len(data) < (header := _header_size(data)):
        return 0
    size = header + (data[1] if header == 2 else int.from_bytes(data[2:header]))
    return size if size <= len(data) else 0
