"""Reverse proxies that do not pass everything on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

from tests.support import raw
from tests.support.server import Server

Alter = Callable[[bytes], bytes]


class Proxy(threading.Thread):
    """A reverse proxy in front of a server. `alter` sees the head of each connection's first
    request."""

    def __init__(self, server: Server, alter: Alter) -> None:
        super().__init__(daemon=True)
        self._alter = alter
        self._behind = urlsplit(server.url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                front, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(front,), daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, front: socket.socket) -> None:
        where = (self._behind.hostname, self._behind.port)
        with closing(front), closing(socket.create_connection(where)) as back, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += raw.receive(front, 1)
            back.sendall(self._alter(head))
            answer = back.recv(65_536)
            front.sendall(answer.replace(b"\r\n", b"\r\nServer: nginx/1.0\r\n", 1))
            threading.Thread(target=_pass_on, args=(front, back), daemon=True).start()
            _pass_on(back, front)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
