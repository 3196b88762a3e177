"""What uvicorn's HTTP connections lack: limits on headers and on waiting, errors in the contract's
shape, and a way to send a whole answer at once.

Touches parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from tracker.api.errors import error_body
from tracker.api.reply import ANSWERER
from tracker.clock import Clock

MAX_HEADER_BYTES: Final = 64 * 1024

# What is read and thrown away of a body after its request was answered, so that the client gets
# to see the answer (a 413, say) before the connection is cut.
_DISCARDED_BYTES: Final = 4 * 1024 * 1024

_JSON_OF_LENGTH: Final = b"content-type: application/json\r\ncontent-length: "

_VERSIONS: Final = ("1.0", "1.1")


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits. The application finds it in the scope's extensions, as
    `tracker.api.reply.Answerer`."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        self._extensions = {ANSWERER: self}
        self._bytes = 0  # of the message that is being received
        self._heard_at = self.loop.time()
        self._paused_at = 0.0
        self._head: tuple[object, int, bytes] | None = None  # see `answer`

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._bytes += len(data)
        if self._bytes > _DISCARDED_BYTES and self._is_discarding():
            self.transport.abort()
            return
        super().data_received(data)
        if self._bytes > MAX_HEADER_BYTES and self._is_in_headers():
            self._refuse_headers()

    def on_headers_complete(self) -> None:
        if self._bytes > MAX_HEADER_BYTES and self._header_size() > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("headers too large")  # ends the parser's work on this connection
        if self.parser.get_http_version() not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
            raise ValueError("not HTTP/1")
        super().on_headers_complete()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._bytes = 0

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        super().pause_writing()

    def answer(self, send: Any, status: int, body: bytes) -> bool:
        """Send a whole JSON answer at once, in one system call; `send` is the request's. False,
        and nothing is sent, if the client has to read first.

        uvicorn takes an answer in two parts, checks and formats their headers each time and
        writes them one after the other: together a sixth of what a webhook costs.
        """
        cycle: RequestResponseCycle = send.__self__
        if cycle.disconnected:
            return True
        if self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        end = b"" if cycle.keep_alive else b"\r\nconnection: close"
        self.transport.write(
            b"%b%d%b\r\n\r\n%b" % (self._head_before_length(status), len(body), end, body)
        )
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

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
        expected = self.cycle is None or self._is_in_headers() or self.cycle.more_body
        if unread or (expected and now - self._heard_at > patience):
            self.transport.abort()

    def _is_in_headers(self) -> bool:
        # uvicorn makes the scope when a message begins, and fills it in after its headers.
        return self.scope is not None and "path" not in self.scope

    def _is_discarding(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete and self.cycle.more_body

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _head_before_length(self, status: int) -> bytes:
        """All of an answer's head up to its length; made anew when uvicorn changes the date."""
        date = self.server_state.default_headers
        if self._head is None or self._head[0] is not date or self._head[1] != status:
            lines = [b"%b: %b\r\n" % header for header in date]
            head = b"".join([STATUS_LINE[status], *lines, _JSON_OF_LENGTH])
            self._head = (date, status, head)
        return self._head[2]

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are over {MAX_HEADER_BYTES} bytes; send fewer.")

    def _refuse(self, status: int, message: str) -> None:
        """Answer for the connection itself: no request got as far as the application."""
        if self.transport.is_closing():
            return
        body = error_body("BAD_REQUEST", message, self._clock.now_ms())
        self.transport.write(
            b"%b%b%d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], _JSON_OF_LENGTH, len(body), body)
        )
        self.transport.close()
