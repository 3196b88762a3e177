"""What uvicorn's HTTP connections lack: limits on headers and on waiting, errors in the one
shape (docs/contract.md, "Errors"), a shorter way to the handler of webhooks (`api.webhooks`).

uvicorn makes a task for each request, and checks and formats head and body of a response
separately: together a quarter of what a webhook costs.

Uses parts of uvicorn that are not public; it is pinned in pyproject.toml.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from tracker.api.body import too_large
from tracker.api.reply import Reply
from tracker.api.request_head import RequestHead
from tracker.api.webhooks import Webhooks
from tracker.domain.limits import MAX_BODY_BYTES
from tracker.server.http_limits import LimitedProtocol
from tracker.server.webhook_cycle import JSON_OF_LENGTH, WebhookCycle


class HttpProtocol(LimitedProtocol):
    """HTTP/1.1 whose webhooks go straight to their handler."""

    def __init__(
        self, *args: Any, webhooks: Webhooks, root_path: bytes = b"", **kwargs: Any
    ) -> None:
        """`root_path`: a prefix that addresses may have; see `_without_prefix`."""
        super().__init__(*args, **kwargs)
        self._webhooks = webhooks
        self._root_path = root_path
        self._head: tuple[object, int, bytes] | None = None  # see `_head_before_length`

    def on_headers_complete(self) -> None:
        if self._root_path:
            self.url = self._without_prefix(self.url)
        version = self._check_head()
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

    def _without_prefix(self, url: bytes) -> bytes:
        """The address as the application knows it. One without the prefix is taken too: some
        proxies remove it themselves, and probes and commands on this machine need none."""
        if not url.startswith(self._root_path):
            return url
        rest = url[len(self._root_path) :]
        if rest.startswith(b"/"):
            return rest
        return b"/" + rest if rest[:1] in (b"", b"?") else url

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

    def _is_idle(self) -> bool:
        """Whether no earlier request is unanswered; if one is, a webhook queues with uvicorn, which
        passes it to the same handler in its turn."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.flow.write_paused

    def _begin_webhook(self, path: bytes, query: bytes) -> None:
        head = RequestHead("POST", query, self.headers, self.client)
        opening = self._webhooks.open(path, head)
        expects_continue = self.expect_100_continue
        # Without a 100 the client may send the body or not, so where the next request begins is
        # unknown.
        keep_alive = self.parser.should_keep_alive() and not (expects_continue and opening.refusal)
        cycle = self.cycle = self._running = WebhookCycle(opening, keep_alive)
        if opening.refusal is not None:
            if not opening.is_admitted:
                self._slot.touch()
                self._slot.settle()
            self._send_reply(cycle, opening.refusal)
            return
        if self._slot.is_keyless:
            self._slot.keep()
        if expects_continue:
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

    def _head_before_length(self, status: int) -> bytes:
        """A response's head up to its length; rebuilt when uvicorn changes the date."""
        date = self.server_state.default_headers
        if self._head is None or self._head[0] is not date or self._head[1] != status:
            lines = [b"%b: %b\r\n" % header for header in date]
            head = b"".join([STATUS_LINE[status], *lines, JSON_OF_LENGTH])
            self._head = (date, status, head)
        return self._head[2]
