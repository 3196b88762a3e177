"""Sends what waits at once to a server on this machine, as far as an agent can be kept waiting.

`http.client` alone takes longer to import than all of this may last. Whatever is not as expected is
left to the sender in the background, which reports it.
"""

from __future__ import annotations

import _socket  # what `socket` adds takes longer to import than all this
import contextlib
import json
import os
import time

from agent_task_tracker.connections import Connection
from agent_task_tracker.hook_request import HookRequest, is_recorded
from agent_task_tracker.light_typing import Final
from agent_task_tracker.locks import let_go
from agent_task_tracker.plain_url import NEAR, plain, socket_path, why_untrusted
from agent_task_tracker.proof import encode, is_proof, key_id
from agent_task_tracker.report import HOOK, kind_of
from agent_task_tracker.spool_files import Damaged, has_sender, lock_file, names, read, unseal

# More is no agent's wait.
_MOST: Final = 8

# Seconds until it is looked at again that another process is sending: a hook has done so soon.
_WHILE_ANOTHER_SENDS: Final = 0.004

_MAX_ANSWER: Final = 64 * 1024


class NotSent(Exception):
    """The server took nothing, or not in time; the text says why."""


def send_waiting(connection: Connection, folder: str, name: str, end: float) -> bool:
    """Send what waits in the folder of the connection's destination. `name`: the report that was
    just put there; `end`: when to stop, by the monotonic clock. Returns whether nothing is left to
    do: what is left if not is for a sender in the background. Raises OSError."""
    while time.monotonic() < end:
        descriptor, is_ours = lock_file(folder)
        try:
            if is_ours and not _send(connection, folder, end):
                return False
        finally:
            let_go(descriptor)
        if is_ours:  # what came meanwhile was left to us
            if not names(folder, 1):
                return True
        elif has_sender(folder) or not os.path.exists(f"{folder}{os.sep}{name}"):
            return True  # a sender in the background looks again; another hook took it along
        else:
            time.sleep(_WHILE_ANOTHER_SENDS)
    return False


def _send(connection: Connection, folder: str, end: float) -> bool:
    """Whether all was taken."""
    with contextlib.closing(Line(connection, end)) as line:
        while waiting := sorted(names(folder, _MOST + 1)):
            if len(waiting) > _MOST or kind_of(waiting[0]) != HOOK:
                return False
            path = f"{folder}{os.sep}{waiting[0]}"
            try:
                report, to = unseal(waiting[0], read(path))
            except (Damaged, FileNotFoundError):
                return False
            if to != connection.destination:
                return False
            try:
                line.send(HookRequest.of(report.content))
            except (NotSent, OSError, ValueError):
                return False
            os.unlink(path)
    return True


class Line:
    """A connection to a server, which ends in time."""

    def __init__(self, connection: Connection, end: float) -> None:
        """`end`: by the monotonic clock."""
        self._connection = connection
        self._end = end
        self._socket: _socket.socket | None = None
        self._pending = b""
        self._prefix = ""
        self._host = "localhost"

    def send(self, request: HookRequest) -> None:
        """Raises NotSent, OSError, ValueError: it was not taken, or nobody knows."""
        if self._socket is None:
            self.connect()
        head = {
            "X-API-Key": self._connection.key,
            "Content-Type": "application/json",
            **request.headers,
            "Content-Length": str(len(request.body)),
        }
        status, body = self._ask(f"POST {self._prefix}{request.path}", head, request.body)
        if status != 200 or not is_recorded(body):
            raise NotSent(str(status))

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()

    def connect(self) -> None:
        """To who has the key, if it can be proven. Raises NotSent, OSError, ValueError."""
        path = socket_path(self._connection.url)
        place = plain(self._connection.url)
        if path:
            if self._connection.is_proven and why_untrusted(path) is not None:
                raise NotSent("another user may listen there")
            self._socket = self._open(_socket.AF_UNIX, path)
            return
        if place is None or place.host not in NEAR:
            raise NotSent("no plain address")
        self._prefix = place.prefix
        host = f"[{place.host}]" if ":" in place.host else place.host
        self._host = f"{host}:{place.port}"
        address = NEAR[place.host]
        family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        self._socket = self._open(family, (address, place.port))
        if self._connection.is_proven:
            self._demand_proof(address, place.port)

    def _open(self, family: int, address: str | tuple[str, int]) -> _socket.socket:
        opened = _socket.socket(family)
        try:
            opened.settimeout(self._left())
            opened.connect(address)
        except BaseException:
            opened.close()
            raise
        return opened

    def _demand_proof(self, address: str, port: int) -> None:
        nonce = os.urandom(32)
        query = f"key_id={key_id(self._connection.key)}&nonce={encode(nonce)}"
        status, body = self._ask(f"GET {self._prefix}/proof?{query}", {}, b"")
        given = json.loads(body).get("proof") if status == 200 else None
        if not is_proof(given, self._connection.key, nonce, address, port):
            raise NotSent("the server did not prove that it has the key")

    def _ask(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        lines = [f"{target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
        return self._answer()

    def _write(self, data: bytes) -> None:
        if self._socket is None:
            raise NotSent("it is closed")
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def _answer(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self._pending:
            self._receive()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").lower().split("\r\n")
        version, _, rest = first.partition(" ")
        named = [line.partition(":") for line in lines]
        lengths = [value.strip() for name, _, value in named if name == "content-length"]
        if version != "http/1.1" or not rest[:3].isdecimal() or len(lengths) != 1:
            raise NotSent("no answer of ours")
        length = int(lengths[0])
        while len(self._pending) < length:
            self._receive()
        body, self._pending = self._pending[:length], self._pending[length:]
        return int(rest[:3]), body

    def _receive(self) -> None:
        if self._socket is None or len(self._pending) > _MAX_ANSWER:
            raise NotSent("no answer of ours")
        self._socket.settimeout(self._left())
        received = self._socket.recv(65_536)
        if not received:
            raise NotSent("it closed the connection")
        self._pending += received

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise NotSent("not in time")
        return left
