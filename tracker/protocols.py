"""What uvicorn's HTTP connections lack: limits on headers and on waiting, errors in the contract's
shape, and answers in one system call.

Touches parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tracker.api.errors import error_body
from tracker.clock import Clock

MAX_HEADER_BYTES: Final = 64 * 1024

# What is read and thrown away of a body after its request was answered, so that the client gets
# to see the answer (a 413, say) before the connection is cut.
_DISCARDED_BYTES: Final = 4 * 1024 * 1024

_VERSIONS: Final = ("1.0", "1.1")


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        self._in_headers = True
        self._in_message = False
        self._bytes = 0  # of the message that is being received
        self._heard_at = self.loop.time()
        self._paused_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_JoiningTransport(transport))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._bytes += len(data)
        if not self._in_headers and self.cycle.response_complete and self._too_much_to_discard():
            self.transport.abort()
            return
        super().data_received(data)
        if self._in_headers and self._bytes > MAX_HEADER_BYTES:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._bytes > MAX_HEADER_BYTES and self._header_size() > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("headers too large")  # ends the parser's work on this connection
        if self.parser.get_http_version() not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
            raise ValueError("not HTTP/1")
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True
        self._in_message = False
        self._bytes = 0

    def on_response_complete(self) -> None:
        cast(_JoiningTransport, self.transport).flush()  # a HEAD's answer has no body to go with
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        self.transport = cast(_JoiningTransport, self.transport).inner
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        super().pause_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            400,
            f"{msg} Send HTTP/1.1; in the address, percent-encode what is not ASCII "
            "(curl: -G --data-urlencode).",
        )

    def drop_if_stalled(self, now: float, patience: float) -> None:
        """Cut a request that stopped coming, and an answer that is not being read, for more than
        `patience` seconds."""
        unread = self.flow.write_paused and now - self._paused_at > patience
        expected = self._in_message or self.cycle is None
        if unread or (expected and now - self._heard_at > patience):
            self.transport.abort()

    def _too_much_to_discard(self) -> bool:
        return self._in_message and self._bytes > _DISCARDED_BYTES

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are over {MAX_HEADER_BYTES} bytes; send fewer.")

    def _refuse(self, status: int, message: str) -> None:
        """Answer for the connection itself: no request got as far as the application."""
        if self.transport.is_closing():
            return
        body = error_body("BAD_REQUEST", message, self._clock.now_ms())
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()


class _JoiningTransport:
    """Holds an answer's head back until its body comes, so that both are one system call.

    uvicorn writes them one after the other; that is a sixth of what a webhook costs.
    """

    def __init__(self, inner: asyncio.Transport) -> None:
        self.inner = inner
        self.is_closing = inner.is_closing
        self.abort = inner.abort
        self.get_extra_info = inner.get_extra_info
        self.pause_reading = inner.pause_reading
        self.resume_reading = inner.resume_reading
        self.set_protocol = inner.set_protocol
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send, after the head that was held back; or hold back a head."""
        if self._head:
            data = self._head + data
            self._head = b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            return
        self.inner.write(data)

    def flush(self) -> None:
        """Send a head that no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what is held back, then close."""
        self.flush()
        self.inner.close()
