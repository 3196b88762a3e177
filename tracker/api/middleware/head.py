"""HEAD wherever there is GET: what uptime monitors and `curl -I` send (RFC 9110, 9.3.2)."""

from __future__ import annotations

from typing import Any

import falcon.asgi

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


class AllowHead:
    """Falcon middleware: lists HEAD in `Allow` wherever GET is."""

    async def process_response(
        self,
        _req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        _resource: object,
        _req_succeeded: bool,
    ) -> None:
        """Complete `Allow` (RFC 9110, 10.2.1)."""
        allowed = (resp.get_header("Allow") or "").split(", ")
        if "GET" in allowed and "HEAD" not in allowed:
            resp.set_header("Allow", ", ".join(sorted([*allowed, "HEAD"])))


class _HeadOnly:
    """Ends the answer after its head; a stream's rest is taken and goes nowhere."""

    def __init__(self, send: Any) -> None:
        self._send = send

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
