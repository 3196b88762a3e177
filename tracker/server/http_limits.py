"""What a message may be: its size, its head, how long it takes.

Uses parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from tracker.api.accepted import ACCEPTED
from tracker.domain.limits import MAX_HEADER_BYTES, MAX_HEADERS, MAX_TELEMETRY_BYTES
from tracker.server.http_pipeline import PipelinedProtocol
from tracker.timeouts import DEFAULT_TIMEOUTS

# Bytes a second that a body brings on average, once it has taken as long as a client may be silent.
_MIN_BODY_RATE: Final = 1024

# How much of a body is read and discarded after its request was answered, so that the client
# sees the response (a 413, say) before the connection is aborted. With what was read before.
_MAX_DISCARDED_BYTES: Final = MAX_TELEMETRY_BYTES + 4 * 1024 * 1024

_VERSIONS: Final = ("1.0", "1.1")


class LimitedProtocol(PipelinedProtocol):
    """HTTP/1.1 with limits."""

    def __init__(
        self, *args: Any, head_timeout: float = DEFAULT_TIMEOUTS.head, **kwargs: Any
    ) -> None:
        """`head_timeout`: seconds for all headers of a request."""
        super().__init__(*args, **kwargs)
        self._head_timeout = head_timeout
        self._message_bytes = 0  # received of the current message
        self._framing_bytes = 0  # since the begin of the message or body, or its last part
        self._in_head = False
        self._begun_at = 0.0  # the current message
        self._paused_at = 0.0

    def _parse_chunk(self, data: bytes) -> None:
        self._message_bytes += len(data)
        self._framing_bytes += len(data)
        if self._message_bytes > _MAX_DISCARDED_BYTES and self._is_discarding():
            self.transport.abort()
            return
        self._feed(data)
        if self._framing_bytes > MAX_HEADER_BYTES:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        """Reset. The scope, which webhooks do without, is made once the head is known. Raises
        ValueError: nobody could be told what became of this request (RFC 9112, 9.6)."""
        if self.transport.is_closing():
            raise ValueError("the connection is being closed")
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.scope = None  # type: ignore[assignment]
        self._in_head = True
        self._begun_at = self._received_at

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. A trailer, which comes after the body, is dropped (RFC 9110, 6.5.1): it
        must not say who sends this, or what."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _make_scope(self) -> None:
        url, headers, expects_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects_continue
        self.scope["headers"] = headers
        self._slot.touch()
        self.scope["extensions"] = cast(Any, {ACCEPTED: self._slot.keep})

    def _check_head(self) -> str:
        """Of a request whose head has been received: the HTTP version. Raises ValueError, which
        ends the parser's work on this connection."""
        self._in_head = False
        self._framing_bytes = 0
        if self._message_bytes > MAX_HEADER_BYTES and self._header_size() > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("headers too large")
        if not self._names_one_host():
            self._refuse(400, "The address and the Host header name two hosts; name one.")
            raise ValueError("two hosts")
        version = str(self.parser.get_http_version())
        if version not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
            raise ValueError("not HTTP/1")
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431, f"There are over {MAX_HEADERS} headers; send fewer.")
            raise ValueError("too many headers")
        return version

    def _names_one_host(self) -> bool:
        """Whether `Host` says the same as an address that names a host (RFC 9112, 3.2.2)."""
        if self.url.startswith(b"/"):  # as nearly always
            return True
        scheme, named, rest = self.url.partition(b"://")
        if not named or not scheme.isalpha():
            return True
        authority = re.split(rb"[/?#]", rest, maxsplit=1)[0].lower()
        return all(value.lower() == authority for name, value in self.headers if name == b"host")

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        super().pause_writing()

    def drop_if_stalled(self, now: float, timeout: float) -> None:
        """Abort the connection if its request stopped arriving, or its response has not been read,
        for more than `timeout` seconds, or arrives too slowly as a whole. Close it if it has been
        idle past its keep-alive."""
        silence = now - self._received_at
        unread = self.flow.write_paused and now - self._paused_at > timeout
        is_receiving = self.cycle is None or self._in_head or self.cycle.more_body
        if unread or (is_receiving and (silence > timeout or self._is_slow(now, timeout))):
            self.transport.abort()
        elif self._is_answered() and silence > self.timeout_keep_alive:
            self.transport.close()

    def _is_slow(self, now: float, timeout: float) -> bool:
        """Whether the head, or the body, takes too long, however often a byte of it comes."""
        taken = now - self._begun_at
        if self._in_head:
            return taken > self._head_timeout
        is_in_body = self.cycle is not None and self.cycle.more_body
        return is_in_body and taken > timeout and self._message_bytes < taken * _MIN_BODY_RATE

    def _is_discarding(self) -> bool:
        return self._is_answered() and self.cycle.more_body

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are over {MAX_HEADER_BYTES} bytes; send fewer.")
