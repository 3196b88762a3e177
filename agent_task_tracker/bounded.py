"""HTTP responses with limits: reading ends, however much and however slowly a server sends.

`http.client` alone reads interim responses (1xx), trailers and bodies for as long as they come.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, cast

from agent_task_tracker.errors import TooLarge

# Of one body, in bytes. A page of tasks or events that is larger is requested in smaller parts.
MAX_BYTES: Final = 32 * 1024 * 1024

# In bytes: all heads, of which several may be interim ones; then chunk sizes and trailers, besides
# the body.
_MAX_HEAD_BYTES: Final = 1024 * 1024
_MAX_FRAMING_BYTES: Final = 4 * 1024 * 1024

# Of one line of a stream, in bytes; 256 KiB are decided (docs/contract.md,
# "Decided, not built yet").
MAX_LINE_BYTES: Final = 16 * 1024 * 1024


def limit(connection: http.client.HTTPConnection, seconds: float) -> None:
    """Limit each response of the connection: TimeoutError once it has taken `seconds`, TooLarge
    after more than MAX_BYTES."""
    connection.response_class = partial(_Response, seconds)  # type: ignore[assignment]


def read(response: http.client.HTTPResponse) -> bytes:
    """The response's body. Raises TooLarge, OSError and HTTPException."""
    if (response.length or 0) > MAX_BYTES:
        raise TooLarge
    # Not `read()`: it would allocate whatever size the server announces.
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise TooLarge
    if response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body


def lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The lines of a response that may go on for ever. Raises TooLarge, OSError, HTTPException."""
    cast(_Response, response).remove_limits()
    while line := response.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise TooLarge
        yield line


def loads(text: bytes | str) -> Any:
    """JSON, but no NaN or infinity. Raises ValueError, also if it is nested too deep."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal} is no number")
    return number


class _Response(http.client.HTTPResponse):
    """A response with limits on bytes and time."""

    def __init__(self, seconds: float, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        buffered: Any = self.fp
        self._reader = _LimitedReader(buffered.detach(), seconds)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """See HTTPResponse: read the head, after any interim ones."""
        super().begin()
        self._reader.bytes_left = MAX_BYTES + _MAX_FRAMING_BYTES

    def remove_limits(self) -> None:
        """For a stream, which may go on for ever."""
        self._reader.bytes_left = self._reader.deadline = math.inf


class _LimitedReader(io.RawIOBase):
    def __init__(self, raw: Any, seconds: float) -> None:
        self._raw = raw
        self.deadline = time.monotonic() + seconds
        self.bytes_left: float = _MAX_HEAD_BYTES

    def readable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """See io.RawIOBase."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("its answer does not end")
        count = int(self._raw.readinto(buffer))
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        """See io.RawIOBase."""
        self._raw.close()
        super().close()
