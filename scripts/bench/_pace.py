"""Reports sent at a fixed pace, whether or not the last one was answered yet."""

from __future__ import annotations

import re
import select
import socket
import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import orjson
from _load import KEY, PROJECT
from _subscribers import Subscribers

# Reports under way at a time: more than a modest pace ever has.
_CONNECTIONS: Final = 32

# Seconds that the last answers may take.
_ANSWER_TIMEOUT: Final = 10.0


class Answer(NamedTuple):
    """When a report was sent, and when its answer had come; on time.perf_counter's clock."""

    sent: float
    at: float


def send(url: str, per_second: int, seconds: int, subscribers: Subscribers) -> dict[int, Answer]:
    """Send reports, read what comes for the subscribers meanwhile, and return the answers, by the
    ids of their events.

    One process reads the answers and the deliveries: it has one clock, and counts as delivered
    only what it has read.
    """
    answered: dict[int, Answer] = {}
    connections = {c.fileno(): c for c in (_Connection(url) for _ in range(_CONNECTIONS))}
    idle = list(connections.values())
    with select.epoll() as answers, select.epoll() as all_sources:
        for fd in connections:
            answers.register(fd, select.EPOLLIN)
        for source in (answers, subscribers):
            all_sources.register(source.fileno(), select.EPOLLIN)
        started = time.perf_counter()
        total, sent = per_second * seconds, 0
        while len(answered) < total and time.perf_counter() - started < seconds + _ANSWER_TIMEOUT:
            if sent < total and idle and time.perf_counter() - started >= sent / per_second:
                idle.pop(0).send(sent)
                sent += 1
                continue
            all_sources.poll(0.001)
            # Answers first, so that no delivery seems later after its answer than it is.
            for fd, _ in answers.poll(0):
                event_id = connections[fd].receive()
                if event_id is not None:
                    answered[event_id] = Answer(connections[fd].sent, time.perf_counter())
                    idle.append(connections[fd])
            subscribers.read()
    for connection in connections.values():
        connection.close()
    return answered


class _Connection:
    """Kept alive, with one report under way at most."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-API-Key: {KEY}\r\n"
            "Content-Type: application/json\r\n"
        )
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self._received = b""
        self.sent = 0.0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, number: int) -> None:
        """The start of a task of that number."""
        task = {"project": PROJECT, "task": "Title", "task_id": f"paced-{number}", "agent": "a"}
        body = orjson.dumps(task).decode()
        request = f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}"
        self.sent = time.perf_counter()
        self._socket.sendall(request.encode())

    def receive(self) -> int | None:
        """The id of the report's event, once its whole answer is there."""
        received = self._socket.recv(65_536)
        self._received += received
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if not received:
            raise ConnectionError(f"the server hung up after {self._received!r}")
        if length is None or len(body) < int(length[1]):
            return None
        self._received = b""
        return int(orjson.loads(body)["event_id"])

    def close(self) -> None:
        self._socket.close()
