"""What uvicorn's HTTP connections lack: limits on headers and on waiting, errors in the one
shape (docs/contract.md, "Errors"), a shorter way to the handler of webhooks (`api.webhooks`).

uvicorn makes a task for each request, and an answer passes through it in two parts that are checked
and formatted each by itself: together a quarter of what a webhook costs.

Touches parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from tracker.api.body import too_large
from tracker.api.errors import error_body
from tracker.api.reply import Reply
from tracker.api.request_head import RequestHead
from tracker.api.webhooks import Opening, Webhooks
from tracker.clock import Clock
from tracker.domain.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES

# Bytes. One read may bring thousands of requests, each of which takes memory until its turn.
_PARSED_AT_ONCE: Final = 4096

# What is read and thrown away of a body after its request was answered, so that the client gets
# to see the answer (a 413, say) before the connection is cut.
_DISCARDED_BYTES: Final = 4 * 1024 * 1024

_JSON_OF_LENGTH: Final = b"content-type: application/json\r\ncontent-length: "

_VERSIONS: Final = ("1.0", "1.1")


class _Unheard:
    """Nobody waits for it."""

    def set(self) -> None:
        pass


class WebhookCycle:
    """A webhook from its headers to its answer, in the place of uvicorn's cycle: the same
    attributes, as far as the connection looks at them."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "opening", "response_complete")

    message_event = _Unheard()

    def __init__(self, opening: Opening, keep_alive: bool) -> None:
        self.opening = opening
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.keep_alive = keep_alive
        self.more_body = True
        self.response_complete = False

    @property
    def response_started(self) -> bool:
        return self.response_complete


class _OrderlyFlow(FlowControl):
    """Asks before it reads on: uvicorn would after each answer, however many requests wait for
    theirs, and a client that sends without end would fill the memory."""

    def __init__(self, transport: asyncio.Transport, may_read: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self) -> None:
        if self._may_read():
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits."""

    cycle: RequestResponseCycle | WebhookCycle  # type: ignore[assignment]

    def __init__(self, *args: Any, clock: Clock, webhooks: Webhooks, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        self._webhooks = webhooks
        self._running: RequestResponseCycle | WebhookCycle | None = None
        self._unparsed = b""
        self._bytes = 0  # of the message that is being received
        self._framing = 0  # bytes since the message's or its body's begin, or the last of its body
        self._in_head = False
        self._last_words = b""  # the connection's own answer, once those before it are given
        self._heard_at = self.loop.time()
        self._paused_at = 0.0
        self._head: tuple[object, int, bytes] | None = None  # see `_head_before_length`

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _OrderlyFlow(transport, self._may_read)

    def data_received(self, data: bytes) -> None:
        if self._last_words:
            return
        self._heard_at = self.loop.time()
        if len(data) <= _PARSED_AT_ONCE and not self._unparsed:
            self._parse_some(data)
        else:
            self._unparsed += data
            self._parse()

    def _parse(self) -> None:
        """Go on with what was received, until requests have to wait for their turn."""
        data, self._unparsed = self._unparsed, b""
        for begin in range(0, len(data), _PARSED_AT_ONCE):
            if self.pipeline:
                self._unparsed = data[begin:]
                return
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._last_words:
                return
            self._parse_some(data[begin : begin + _PARSED_AT_ONCE])

    def _go_on(self) -> None:
        self._parse()
        self.flow.resume_reading()

    def _may_read(self) -> bool:
        """Whether to read on; if something is left of what was read, that has its turn first."""
        if self.pipeline:
            return False
        if self._unparsed:
            self.loop.call_soon(self._go_on)
        return not self._unparsed

    def _parse_some(self, data: bytes) -> None:
        self._bytes += len(data)
        self._framing += len(data)
        if self._bytes > _DISCARDED_BYTES and self._is_discarding():
            self.transport.abort()
            return
        super().data_received(data)
        if self._framing > MAX_HEADER_BYTES:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        """Begin anew; the scope, which webhooks go without, is made when the head is known."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.scope = None  # type: ignore[assignment]
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. One that comes after the body, a trailer, goes nowhere (RFC 9110, 6.5.1):
        it must not say who sends this, or what."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        cycle = self.cycle
        if type(cycle) is not WebhookCycle:
            super().on_body(body)
        elif cycle.response_complete:
            pass  # refused: the rest is thrown away
        elif not cycle.body:
            cycle.body = body
        elif len(cycle.body) + len(body) > MAX_BODY_BYTES:
            self._answer(cycle, self._webhooks.refuse(cycle.opening, too_large()))
        else:
            cycle.body = bytearray(cycle.body) if type(cycle.body) is bytes else cycle.body
            cycle.body += body

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._framing = 0
        if self._bytes > MAX_HEADER_BYTES and self._header_size() > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("headers too large")  # ends the parser's work on this connection
        if not self._says_one_host():
            self._refuse(400, "The address and the Host header name two hosts; name one.")
            raise ValueError("two hosts")
        version = self.parser.get_http_version()
        if version not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
            raise ValueError("not HTTP/1")
        path, _, query = self.url.partition(b"?")
        is_webhook = self._webhooks.find(path) and self.parser.get_method() == b"POST"
        goes_on = version == "1.1" and not self.parser.should_upgrade()
        if is_webhook and goes_on and self._is_free():
            self._begin_webhook(path, query)
        else:
            self._make_scope()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        was_coming = cycle is not None and cycle.more_body  # an upgrade leaves the last one's
        super().on_message_complete()
        self._bytes = self._framing = 0
        self.server_state.total_requests += 1  # uvicorn counts none whose client has left
        if type(cycle) is WebhookCycle and was_coming and not cycle.response_complete:
            body, cycle.body = bytes(cycle.body), b""
            self._webhooks.take(cycle.opening, body, partial(self._answer, cycle))

    def handle_websocket_upgrade(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            super().handle_websocket_upgrade()
        else:
            self._refuse(400, "Wait for the answer to what was sent before, then upgrade.")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last_words and not self._is_answering():
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._running is not None:  # uvicorn tells only the newest of pipelined requests
            self._running.disconnected = True
        super().connection_lost(exc)

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
        `patience` seconds. End a connection that has been without requests for too long."""
        quiet = now - self._heard_at
        unread = self.flow.write_paused and now - self._paused_at > patience
        expected = self.cycle is None or self._in_head or self.cycle.more_body
        if unread or (expected and quiet > patience):
            self.transport.abort()
        elif self._is_answered() and quiet > self.timeout_keep_alive:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_free(self) -> bool:
        """Whether nothing before it has to be answered first; else a webhook queues up with
        uvicorn, which hands it to the same handler in its turn."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.flow.write_paused

    def _make_scope(self) -> None:
        url, headers, waits = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, waits
        self.scope["headers"] = headers

    def _begin_webhook(self, path: bytes, query: bytes) -> None:
        head = RequestHead("POST", query, self.headers, self.client)
        opening = self._webhooks.open(path, head)
        waits = self.expect_100_continue
        # Who waits to be told to go on, and is not, may send the body or not: nobody can tell.
        keep_alive = self.parser.should_keep_alive() and not (waits and opening.refusal)
        cycle = self.cycle = self._running = WebhookCycle(opening, keep_alive)
        if opening.refusal is not None:
            self._answer(cycle, opening.refusal)
        elif waits:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, cycle: WebhookCycle, reply: Reply) -> None:
        """Send the whole answer at once, in one system call."""
        cycle.response_complete = True
        if self.transport.is_closing():
            return
        end = b"" if cycle.keep_alive else b"\r\nconnection: close"
        if reply.headers:
            lines = [f"\r\n{name}: {value}" for name, value in reply.headers.items()]
            end = "".join(lines).encode("latin-1") + end
        head = self._head_before_length(reply.status)
        self.transport.write(b"%b%d%b\r\n\r\n%b" % (head, len(reply.body), end, reply.body))
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline or self._last_words:  # else `drop_if_stalled` is timer enough
            self.on_response_complete()

    def _says_one_host(self) -> bool:
        """Whether `Host` says the same as an address that names a host (RFC 9112, 3.2.2)."""
        if self.url.startswith(b"/"):  # as nearly always
            return True
        scheme, named, rest = self.url.partition(b"://")
        if not named or not scheme.isalpha():
            return True
        authority = re.split(rb"[/?#]", rest, maxsplit=1)[0].lower()
        return all(value.lower() == authority for name, value in self.headers if name == b"host")

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _is_discarding(self) -> bool:
        return self._is_answered() and self.cycle.more_body

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
        """Answer for the connection itself, and end it: a request got no further than here. Those
        before it are answered first, or their clients would take this for the answer to them."""
        if self.transport.is_closing() or self._last_words:
            return
        if self.cycle is not None and self.cycle.more_body:  # it broke off in its body
            if self.cycle.response_started:
                self.transport.close()
                return
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self._running = None
        body = error_body("BAD_REQUEST", message, self._clock.now_ms())
        self._last_words = b"%b%b%d\r\nconnection: close\r\n\r\n%b" % (
            *(STATUS_LINE[status], _JSON_OF_LENGTH, len(body)),
            body,
        )
        if not self._is_answering():
            self._end()

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or not (self._running is None or self._running.response_complete)

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._last_words)
            self.transport.close()
