"""HEAD wherever there is GET: what uptime monitors and `curl -I` send (RFC 9110, 9.3.2)."""

from __future__ import annotations

from typing import Any

from tracker.api.body import ASGI, Receive


class HeadAsGet:
    """ASGI middleware: has a HEAD answered as the GET would be, and leaves out the body."""

    def __init__(self, app: ASGI) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
            send = _HeadOnly(send)
        await self._app(scope, receive, send)


class _HeadOnly:
    """Ends the answer after its head; a stream's rest is taken and goes nowhere."""

    def __init__(self, send: Any) -> None:
        self._send = send

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
