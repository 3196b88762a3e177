"""Responses without a length to HTTP/1.0, which has no chunks (RFC 9112, 6.1): what some proxies
speak unless told otherwise. The end of the connection ends such a response."""

from __future__ import annotations

import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tracker.api.body import ASGI, Receive


class UnchunkedResponses:
    """ASGI middleware around the application, for one request."""

    def __init__(self, app: ASGI, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._has_length = True

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        if scope["http_version"] != "1.0":
            await self._app(scope, receive, send)
            return

        async def send_unchunked(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                self._has_length = b"content-length" in names
            if not self._has_length:
                self._allow_any_length(message)
            await send(message)

        await self._app(scope, receive, send_unchunked)

    def _allow_any_length(self, message: dict[str, Any]) -> None:
        """uvicorn chunks what has no length, and compares what it sends with what was announced."""
        cycle = self._cycle
        cycle.keep_alive = False
        cycle.chunked_encoding = False
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        cycle.expected_content_length = len(message.get("body", b"")) if is_last else sys.maxsize
