"""Requests that a client pipelines, in their order, and errors of the connection's own in the one
shape (docs/contract.md, "Errors").

Uses parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from tracker.api.errors import error_body
from tracker.clock import Clock
from tracker.server.http10 import UnchunkedResponses
from tracker.server.slots import Slot
from tracker.server.webhook_cycle import JSON_OF_LENGTH, WebhookCycle

# Bytes. One read may bring thousands of requests, each of which takes memory until its turn.
_PARSE_CHUNK: Final = 4096

# Bytes to buffer, as without TLS; asyncio's default with TLS is 512 KiB.
_TLS_WRITE_BUFFER: Final = 64 * 1024


class _PipelineFlowControl(FlowControl):
    """Resumes reading only if no pipelined request waits. uvicorn resumes after each response, so a
    client that pipelines without end would fill the memory."""

    def __init__(self, transport: asyncio.Transport, may_read: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self) -> None:
        if self._may_read():
            super().resume_reading()

    def close(self) -> None:
        """Let go of the connection, which refers to this: its memory is then freed at once."""
        self._may_read = _never


def _never() -> bool:
    return False


class PipelinedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests are parsed in their turn."""

    cycle: RequestResponseCycle | WebhookCycle  # type: ignore[assignment]

    def __init__(self, *args: Any, clock: Clock, slot: Slot, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        self._slot = slot
        self._running: RequestResponseCycle | WebhookCycle | None = None
        self._unparsed = b""
        self._ignores_upgrade = False  # its head is parsed once more, without
        self._final_response = b""  # the connection's own, sent after those before it
        self._received_at = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._slot.holder = self
        if self.scheme == "https":
            transport.set_write_buffer_limits(_TLS_WRITE_BUFFER)
        self.flow = self._flow_control = _PipelineFlowControl(transport, self._may_read)

    def data_received(self, data: bytes) -> None:
        if self._final_response:
            return
        self._received_at = self.loop.time()
        if len(data) <= _PARSE_CHUNK and not self._unparsed:
            self._parse_chunk(data)
        else:
            self._unparsed += data
            self._parse()

    def _parse(self) -> None:
        """Parse what was received, until requests have to queue."""
        data, self._unparsed = self._unparsed, b""
        for begin in range(0, len(data), _PARSE_CHUNK):
            if self.pipeline:
                self._unparsed = data[begin:]
                return
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._final_response:
                return
            self._parse_chunk(data[begin : begin + _PARSE_CHUNK])

    def _resume(self) -> None:
        self._parse()
        self.flow.resume_reading()

    def _may_read(self) -> bool:
        """Whether to read on. What was received and is not parsed yet is parsed first."""
        if self.pipeline:
            return False
        if self._unparsed:
            self.loop.call_soon(self._resume)
        return not self._unparsed

    def _parse_chunk(self, data: bytes) -> None:
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._ignores_upgrade:
                self._parse_without_upgrade(data[upgrade.args[0] :])
            elif self._should_upgrade():
                self.handle_websocket_upgrade()
                if self.transport.get_protocol() is not self:
                    self._break_cycles()
                    self.parser = None  # type: ignore[assignment]
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Take a request as if it had not asked for another protocol (RFC 9110, 7.8). The parser,
        which would take its body for that protocol's bytes, gets its head again."""
        self._ignores_upgrade = False
        version = self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                kept = [one for one in value.split(b",") if one.strip().lower() != b"upgrade"]
                head.append(b"connection: %b\r\n" % b",".join(kept))
            elif name != b"upgrade":
                head.append(b"%b: %b\r\n" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"".join([*head, b"\r\n"]))
        if rest and not self.transport.is_closing():
            self._feed(rest)

    def _should_upgrade(self) -> bool:
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            upgraded = cast(Any, self.ws_protocol_class)
            self.ws_protocol_class = cast(Any, partial(upgraded, slot=self._slot))
            super().handle_websocket_upgrade()
        else:
            self._refuse(400, "Wait for the answer to what was sent before, then upgrade.")

    def on_response_complete(self) -> None:
        self._slot.settle()
        super().on_response_complete()
        if self._final_response and not self.is_answering():
            self._send_final_response()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._running is not None:  # uvicorn notifies only the newest of pipelined requests
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._slot.free()
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Drop what refers to this connection, so that its memory is freed at once: garbage
        collections are rare (see `tracker.server.run`)."""
        self._unset_keepalive_if_required()
        self._flow_control.close()
        self._running = None
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            400,
            f"{msg} Send HTTP/1.1; in the address, percent-encode what is not ASCII "
            "(curl: -G --data-urlencode).",
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        unchunked: Any = UnchunkedResponses(app, cycle)
        super()._start_asgi_task(cycle, unchunked)

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _refuse(self, status: int, message: str) -> None:
        """Respond for the connection itself and close it: no handler gets the request. Earlier ones
        are answered first, or the client would take this for the response to one of them."""
        if self.transport.is_closing() or self._final_response:
            return
        if self.cycle is not None and self.cycle.more_body:  # it failed in its body
            if self.cycle.response_started:
                self.transport.close()
                return
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self._running = None
        body = error_body("BAD_REQUEST", message, self._clock.now_ms())
        self._final_response = b"%b%b%d\r\nconnection: close\r\n\r\n%b" % (
            *(STATUS_LINE[status], JSON_OF_LENGTH, len(body)),
            body,
        )
        if not self.is_answering():
            self._send_final_response()

    def is_answering(self) -> bool:
        """Whether a request waits for the end of its response."""
        return bool(self.pipeline) or not (self._running is None or self._running.response_complete)

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _send_final_response(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._final_response)
            self.transport.close()
