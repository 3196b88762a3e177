"""What uvicorn's WebSockets lack: many frames in one write, a close that no peer can delay, memory
that no peer can fill, and refusals in the one shape (docs/contract.md, "Errors").

Uses parts of uvicorn and websockets that are not public; both are pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from tracker.api.accepted import ACCEPTED
from tracker.api.errors import REFUSED_BASE, code_of, error_body
from tracker.clock import Clock
from tracker.domain.limits import CloseCode
from tracker.server.slots import Slot
from tracker.timeouts import Timeouts
from tracker.ws.socket import FRAMES

# Bytes that are parsed in one turn of the event loop: thousands of small frames come in one read.
_PARSE_CHUNK: Final = 4096


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that takes ready-made frames and cannot be held open by its peer.

    The application finds it in the scope's extensions, as `tracker.ws.socket.FrameWriter`.

    However it ends, the application receives a `websocket.disconnect`, what was written is sent as
    far as the peer takes it, and the connection is aborted `timeouts.close` seconds later.
    """

    def __init__(
        self, *args: Any, clock: Clock, timeouts: Timeouts, slot: Slot, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._slot = slot
        self.conn = _Handshake(clock, max_size=self.config.ws_max_size, logger=self.logger)
        self._close_timeout = timeouts.close
        self._pending_pong = b""
        self._unparsed = b""
        self._parse_handle: asyncio.Handle | None = None

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._slot.holder = self

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._slot.free()

    def is_answering(self) -> bool:
        """Whether it is more than idle; whoever has a key is not asked."""
        return False

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    # Receiving.

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        if self._parse_handle is None:
            self._parse()

    def _parse(self) -> None:
        """Parse some of what was received. The rest has its turn once the application has taken
        the messages in it, so that one peer cannot keep the loop from the others."""
        self._parse_handle = None
        if self.read_paused or self.transport.is_closing():
            return
        chunk, self._unparsed = self._unparsed[:_PARSE_CHUNK], self._unparsed[_PARSE_CHUNK:]
        self._parse_chunk(chunk)
        self._go_on()

    def _go_on(self) -> None:
        """Unless the application has to catch up: parse on, or read on. asyncio's transports with
        TLS fail at that once they are closed."""
        if self.read_paused or self.transport.is_closing():
            return
        if self._unparsed:
            self.transport.pause_reading()
            self._parse_handle = self._parse_handle or self.loop.call_soon(self._parse)
        else:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await super().receive()
        self._go_on()
        return message

    def _parse_chunk(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # Refused before uvicorn saw a request. websockets refuses one with a body silently.
            answer = b"".join(self.conn.data_to_send())
            refusal = self.conn.reject(400, "Send a handshake that has no body, and nothing else.")
            self.transport.write(answer or refusal.serialize())
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions |= {FRAMES: self, ACCEPTED: self._slot.keep}

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:  # else a message of empty fragments would grow for ever
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self._fail(CloseCode.INVALID_TEXT, "text must be UTF-8")
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        pongs = self.conn.data_to_send()
        if self.close_sent or not pongs:
            return
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        else:  # only the last of several pings needs a pong (RFC 6455, 5.5.3)
            self._pending_pong = pongs[-1]

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pending_pong and not self._is_closing():
            self.transport.write(self._pending_pong)
        self._pending_pong = b""

    def handle_parser_exception(self) -> None:
        if not self.close_sent and self.conn.close_sent is not None:
            self._end(self.conn.close_sent.code, self.conn.close_sent.reason)

    # Sending.

    def write_frames(self, frames: bytes) -> bool:
        """See `FrameWriter`. Raises ClientDisconnected, an OSError."""
        if self._is_closing():
            raise ClientDisconnected
        self.transport.write(frames)
        return self.writable.is_set()

    async def drain(self, seconds: float) -> None:
        """See `FrameWriter`."""
        while not self.writable.is_set():
            unread = self.transport.get_write_buffer_size()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.writable.wait()
                    return
            if self.transport.get_write_buffer_size() >= unread:
                raise TimeoutError

    async def send(self, message: Any) -> None:
        closing = message["type"] == "websocket.close"
        if not closing:  # a close does not wait, and is no error if it comes too late
            await self.writable.wait()
        if self._is_closing():
            self.handshake_complete = True  # there is no peer left to complete it with
            if not closing:
                raise ClientDisconnected
        elif not closing:
            await super().send(message)
        elif self.handshake_complete:
            self.conn.send_close(message["code"], message.get("reason", ""))
            self._end(message["code"], message.get("reason", ""))
        else:
            await self._refuse(message["code"] - REFUSED_BASE, message["reason"].encode())

    # Closing.

    async def _refuse(self, status: int, body: bytes) -> None:
        headers = [(b"content-type", b"application/json")]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await super().send(cast(Any, start))
        await super().send(cast(Any, {"type": "websocket.http.response.body", "body": body}))
        self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self.pending_ping_payload = None
        self._fail(CloseCode.INTERNAL_ERROR, "no pong came")

    def shutdown(self) -> None:
        """The application closes with 1001 itself; abort if the peer does not follow."""
        self.stop_keepalive()
        self._abort_later()

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        if not self.disconnected:
            self._abort_later()

    def _fail(self, code: int, reason: str) -> None:
        """Close because of what the peer did or left undone (RFC 6455, 7.1.7)."""
        if not self._is_closing():
            self.conn.fail(code, reason)
            self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        """Send the close frame, then discard what arrives until the peer hangs up. Closing at once
        could lose the close frame: the peer may still be sending."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._flush()
        self.close_sent = True
        if self.conn.eof_sent and self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_later()

    def _is_closing(self) -> bool:
        return self.close_sent or self.transport.is_closing()

    def _flush(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))

    def _abort_later(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self._close_timeout, self.transport.abort)


class _Handshake(ServerProtocol):
    """Refuses a bad handshake in the one shape of errors."""

    def __init__(self, clock: Clock, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._clock = clock

    def reject(self, status: int | HTTPStatus, text: str) -> Response:
        phrase = HTTPStatus(status).phrase
        body = error_body(code_of(status), text.strip() or phrase, self._clock.now_ms())
        headers = Headers(
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
        )
        return Response(int(status), phrase, headers, body)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
