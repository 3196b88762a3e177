"""A connection to a server that is kept open between requests."""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage
from types import MappingProxyType
from typing import Final, NamedTuple

from agent_task_tracker import bounded
from agent_task_tracker.address import Address
from agent_task_tracker.credentials import Credentials

# Seconds without an answer after which a server counts as not answering.
TIMEOUT: Final = 5.0

# Idle for so many seconds, a connection is likely to have been closed by the server.
_IDLE: Final = 60.0


class Answer(NamedTuple):
    """A server's answer."""

    status: int
    headers: HTTPMessage
    body: bytes


class Link:
    """Sends requests to one server, one after the other. Not for several threads at once."""

    def __init__(
        self, address: Address, credentials: Credentials, timeout: float = TIMEOUT
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._timeout = timeout
        self._connection: HTTPConnection | None = None
        self._headers: dict[str, str] = {}
        self._used_at = 0.0

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Answer:
        """Send JSON, over a new connection if the server has closed the one there was.

        Raises:
            ClientError: the server is not the one that has the key, or its certificate is wrong.
            OSError, HTTPException, ValueError: no answer, or none of HTTP.
        """
        if self._connection is not None and self._is_stale():
            self.close()
        is_reused = self._connection is not None
        try:
            return self._post(path, body, headers)
        except (OSError, HTTPException):
            # It may just have been closed. A hanging server is not asked twice.
            if not is_reused or time.monotonic() - self._used_at >= self._timeout:
                raise
        return self._post(path, body, headers)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            connection = self._connection or self._connect()
            self._used_at = time.monotonic()
            all_headers = {**self._headers, **headers}
            connection.request("POST", self._address.prefix + path, body, all_headers)
            with connection.getresponse() as response:
                content = bounded.read(response)
                if response.will_close:
                    self._connection = None
                return Answer(response.status, response.headers, content)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> HTTPConnection:
        connection = self._connection = self._address.connection(self._timeout)
        self._used_at = time.monotonic()
        connection.connect()
        credentials = self._credentials.headers(connection, self._address.prefix)
        self._headers = {**credentials, "Content-Type": "application/json"}
        connection.auto_open = 0  # the headers are for this connection
        return connection

    def _is_stale(self) -> bool:
        """Whether it was idle for long, or there is something to read: the end, usually."""
        sock = None if self._connection is None else self._connection.sock
        if sock is None or time.monotonic() - self._used_at > _IDLE:
            return True
        try:
            # Not `select`: a job may have more descriptors open than that takes.
            with selectors.DefaultSelector() as selector:
                selector.register(sock, selectors.EVENT_READ)
                return bool(selector.select(0))
        except (OSError, ValueError):  # it is closed
            return True
