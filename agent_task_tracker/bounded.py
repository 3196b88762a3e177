"""Answers of whoever listens at an address: however much and however slowly it sends, reading ends.

`http.client` by itself reads interim answers (1xx), trailers and bodies for as long as they come.
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

# Of one answer, in bytes. A page of tasks or events that is larger is asked for in smaller parts.
MOST_BYTES: Final = 32 * 1024 * 1024

# What comes before the body, and within and behind it: heads, of which several may be interim
# ones; the sizes of chunks, and trailers.
_HEADS: Final = 1024 * 1024
_AROUND: Final = 4 * 1024 * 1024

# Of one message of a stream; 256 KiB are decided (docs/contract.md, "Decided, not built yet").
MOST_LINE_BYTES: Final = 16 * 1024 * 1024


def limit(connection: http.client.HTTPConnection, seconds: float) -> None:
    """Have the connection's answers end: each with TimeoutError once it has taken `seconds`, and
    with TooLarge after more than MOST_BYTES."""
    connection.response_class = partial(_Response, seconds)  # type: ignore[assignment]


def read(response: http.client.HTTPResponse) -> bytes:
    """The answer's body. Raises TooLarge, OSError and HTTPException."""
    if (response.length or 0) > MOST_BYTES:
        raise TooLarge
    # Never all at once by the size that is announced: so much would be allocated first.
    body = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise TooLarge
    if response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body


def lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The lines of an answer that may go on for ever. Raises TooLarge, OSError, HTTPException."""
    cast(_Response, response).lift()
    while line := response.readline(MOST_LINE_BYTES):
        if len(line) == MOST_LINE_BYTES:
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
    """One whose bytes are counted, and which ends in time."""

    def __init__(self, seconds: float, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        buffered: Any = self.fp
        self._counted = _Counted(buffered.detach(), seconds)
        self.fp = io.BufferedReader(self._counted)

    def begin(self) -> None:
        """See HTTPResponse: read the head, and interim ones before it."""
        super().begin()
        self._counted.left = MOST_BYTES + _AROUND

    def lift(self) -> None:
        """From now on there is no limit."""
        self._counted.left = self._counted.end = math.inf


class _Counted(io.RawIOBase):
    def __init__(self, raw: Any, seconds: float) -> None:
        self._raw = raw
        self.end = time.monotonic() + seconds
        self.left: float = _HEADS

    def readable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """See io.RawIOBase."""
        if time.monotonic() > self.end:
            raise TimeoutError("its answer does not end")
        count = int(self._raw.readinto(buffer))
        self.left -= count
        if self.left < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        """See io.RawIOBase."""
        self._raw.close()
        super().close()
