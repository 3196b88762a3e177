"""What uvicorn's HTTP connections lack: limits on headers and on waiting, errors in the one
shape (docs/contract.md, "Errors"), a shorter way to the handler of webhooks (`api.webhooks`).

uvicorn makes a task for each request, and checks and formats head and body of a response
separately: together a quarter of what a webhook costs.

Uses parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httptools
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
from tracker.api.webhooks import WebhookRequest, Webhooks
from tracker.clock import Clock
from tracker.domain.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS
from tracker.server.http10 import UnchunkedResponses
from tracker.timeouts import DEFAULT_TIMEOUTS

# Bytes a second that a body brings on average, once it has taken as long as a client may be silent.
_MIN_BODY_RATE: Final = 1024

# Bytes. One read may bring thousands of requests, each of which takes memory until its turn.
_PARSE_CHUNK: Final = 4096

# How much of a body is read and discarded after its request was answered, so that the client
# sees the response (a 413, say) before the connection is aborted.
_MAX_DISCARDED_BYTES: Final = 4 * 1024 * 1024

# Bytes to buffer, as without TLS; asyncio's default with TLS is 512 KiB.
_TLS_WRITE_BUFFER: Final = 64 * 1024

_JSON_OF_LENGTH: Final = b"content-type: application/json\r\ncontent-length: "

_VERSIONS: Final = ("1.0", "1.1")


class _NoopEvent:
    """No-op event; nothing awaits it."""

    def set(self) -> None:
        pass


class WebhookCycle:
    """A webhook from its headers to its response, in place of uvicorn's cycle, with those of its
    attributes that the connection reads."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "opening", "response_complete")

    message_event = _NoopEvent()

    def __init__(self, opening: WebhookRequest, keep_alive: bool) -> None:
        self.opening = opening
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.keep_alive = keep_alive
        self.more_body = True
        self.response_complete = False

    @property
    def response_started(self) -> bool:
        return self.response_complete


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


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits."""

    cycle: RequestResponseCycle | WebhookCycle  # type: ignore[assignment]

    def __init__(
        self,
        *args: Any,
        clock: Clock,
        webhooks: Webhooks,
        head_timeout: float = DEFAULT_TIMEOUTS.head,
        **kwargs: Any,
    ) -> None:
        """`head_timeout`: seconds for all headers of a request."""
        super().__init__(*args, **kwargs)
        self._head_timeout = head_timeout
        self._clock = clock
        self._webhooks = webhooks
        self._running: RequestResponseCycle | WebhookCycle | None = None
        self._unparsed = b""
        self._message_bytes = 0  # received of the current message
        self._framing_bytes = 0  # since the begin of the message or body, or its last part
        self._in_head = False
        self._begun_at = 0.0  # the current message
        self._ignores_upgrade = False  # its head is parsed once more, without
        self._final_response = b""  # the connection's own, sent after those before it
        self._received_at = self.loop.time()
        self._paused_at = 0.0
        self._head: tuple[object, int, bytes] | None = None  # see `_head_before_length`

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
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
        self._message_bytes += len(data)
        self._framing_bytes += len(data)
        if self._message_bytes > _MAX_DISCARDED_BYTES and self._is_discarding():
            self.transport.abort()
            return
        self._feed(data)
        if self._framing_bytes > MAX_HEADER_BYTES:
            self._refuse_headers()

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

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        cycle = self.cycle
        if type(cycle) is not WebhookCycle:
            super().on_body(body)
        elif cycle.response_complete:
            pass  # refused: the rest is discarded
        elif not cycle.body:
            cycle.body = body
        elif len(cycle.body) + len(body) > MAX_BODY_BYTES:
            self._send_reply(cycle, self._webhooks.refuse(cycle.opening, too_large()))
        else:
            cycle.body = bytearray(cycle.body) if type(cycle.body) is bytes else cycle.body
            cycle.body += body

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._framing_bytes = 0
        if self._message_bytes > MAX_HEADER_BYTES and self._header_size() > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("headers too large")  # ends the parser's work on this connection
        if not self._names_one_host():
            self._refuse(400, "The address and the Host header name two hosts; name one.")
            raise ValueError("two hosts")
        version = self.parser.get_http_version()
        if version not in _VERSIONS:  # the parser takes 0.9 and 2.0 too
            raise ValueError("not HTTP/1")
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431, f"There are over {MAX_HEADERS} headers; send fewer.")
            raise ValueError("too many headers")
        asks_upgrade = self.parser.should_upgrade()
        if asks_upgrade and self.parser.get_method() != b"CONNECT" and not self._should_upgrade():
            self._ignores_upgrade = True
            return
        path, _, query = self.url.partition(b"?")
        is_webhook = self._webhooks.handles(path) and self.parser.get_method() == b"POST"
        is_plain_http11 = version == "1.1" and not asks_upgrade
        if is_webhook and is_plain_http11 and self._is_idle():
            self._begin_webhook(path, query)
        else:
            self._make_scope()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._ignores_upgrade:
            return
        cycle = self.cycle
        was_receiving = cycle is not None and cycle.more_body  # on upgrade: the previous
        super().on_message_complete()
        if cycle is not None:
            cycle.more_body = False  # uvicorn leaves it so if the response came before the body
        self._message_bytes = self._framing_bytes = 0
        self.server_state.total_requests += 1  # uvicorn counts none whose client has left
        if type(cycle) is WebhookCycle and was_receiving and not cycle.response_complete:
            body, cycle.body = bytes(cycle.body), b""
            self._webhooks.record(cycle.opening, body, partial(self._send_reply, cycle))

    def handle_websocket_upgrade(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            super().handle_websocket_upgrade()
        else:
            self._refuse(400, "Wait for the answer to what was sent before, then upgrade.")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._final_response and not self._is_answering():
            self._send_final_response()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._running is not None:  # uvicorn notifies only the newest of pipelined requests
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Drop what refers to this connection, so that its memory is freed at once: garbage
        collections are rare (see `tracker.server.run`)."""
        self._unset_keepalive_if_required()
        self._flow_control.close()
        self._running = None
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        super().pause_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            400,
            f"{msg} Send HTTP/1.1; in the address, percent-encode what is not ASCII "
            "(curl: -G --data-urlencode).",
        )

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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        unchunked: Any = UnchunkedResponses(app, cycle)
        super()._start_asgi_task(cycle, unchunked)

    def _is_idle(self) -> bool:
        """Whether no earlier request is unanswered; if one is, a webhook queues with uvicorn, which
        passes it to the same handler in its turn."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.flow.write_paused

    def _make_scope(self) -> None:
        url, headers, expects_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects_continue
        self.scope["headers"] = headers

    def _begin_webhook(self, path: bytes, query: bytes) -> None:
        head = RequestHead("POST", query, self.headers, self.client)
        opening = self._webhooks.open(path, head)
        expects_continue = self.expect_100_continue
        # Without a 100 the client may send the body or not, so where the next request begins is
        # unknown.
        keep_alive = self.parser.should_keep_alive() and not (expects_continue and opening.refusal)
        cycle = self.cycle = self._running = WebhookCycle(opening, keep_alive)
        if opening.refusal is not None:
            self._send_reply(cycle, opening.refusal)
        elif expects_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send_reply(self, cycle: WebhookCycle, reply: Reply) -> None:
        """Send the whole response in one system call."""
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
        if self.pipeline or self._final_response:  # else `drop_if_stalled` is timer enough
            self.on_response_complete()

    def _names_one_host(self) -> bool:
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
        """A response's head up to its length; rebuilt when uvicorn changes the date."""
        date = self.server_state.default_headers
        if self._head is None or self._head[0] is not date or self._head[1] != status:
            lines = [b"%b: %b\r\n" % header for header in date]
            head = b"".join([STATUS_LINE[status], *lines, _JSON_OF_LENGTH])
            self._head = (date, status, head)
        return self._head[2]

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are over {MAX_HEADER_BYTES} bytes; send fewer.")

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
            *(STATUS_LINE[status], _JSON_OF_LENGTH, len(body)),
            body,
        )
        if not self._is_answering():
            self._send_final_response()

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or not (self._running is None or self._running.response_complete)

    def _send_final_response(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._final_response)
            self.transport.close()
