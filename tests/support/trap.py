"""A stranger's server where ours is expected: records what it receives, answers as given."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType

# Makes it look like our server until a proof is requested.
ANSWER = {"status": "healthy", "proof": "A" * 43, "message": "m", "event_id": 1, "last_id": 0}


def reply(content: object, *headers: str) -> bytes:
    """An HTTP answer with JSON."""
    body = json.dumps(content).encode()
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Trap:
    """Listens until the end of the block. `received`: every byte, of all connections."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        path: Path | None = None,
        answer: Callable[[socket.socket, bytes], bytes] = lambda _connection, _request: reply(
            ANSWER
        ),
    ) -> None:
        """`answer` is given the connection and a request, and gives what is sent back. `path`: of a
        Unix socket, in place of host and port."""
        self.received = b""
        self.connections = 0
        self._answer = answer
        if path is None:
            self._listener = socket.create_server((host, port))
            self.port = self._listener.getsockname()[1]
            self.url = f"http://{host}:{self.port}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.url = f"unix:{path}"
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def targets(self) -> list[str]:
        """Method and target of each request, without queries."""
        found = re.findall(rb"(?:^|\r\n\r\n|\n)([A-Z]+ [^ ?]+)[^ ]* HTTP/1\.1\r\n", self.received)
        return [target.decode() for target in found]

    def __enter__(self) -> Trap:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(20)
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            pending = b""
            while chunk := connection.recv(65_536):
                self.received += chunk
                pending += chunk
                while (length := _length_of_request(pending)) is not None:
                    request, pending = pending[:length], pending[length:]
                    answer = self._answer(connection, request)
                    connection.sendall(answer)
                    if b"\r\nConnection: close\r\n" in answer:
                        return


def _length_of_request(data: bytes) -> int | None:
    """How much of it is the first request; None: not all of it is there."""
    head, end, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    length = int(found[1]) if found else 0
    return len(head) + 4 + length if end and len(body) >= length else None
