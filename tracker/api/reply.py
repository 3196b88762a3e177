"""An answer before it is given to a framework."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import falcon
import falcon.asgi

_NONE: Mapping[str, str] = MappingProxyType({})


# Where a server that takes a whole answer at once offers it, in the ASGI scope's extensions.
ANSWERER: Final = "tracker.answerer"


class Answerer(Protocol):
    """A connection that takes a whole answer at once; see `tracker.protocols`."""

    def answer(self, send: Any, status: int, body: bytes) -> bool:
        """Send a JSON answer; `send` is the request's, as ASGI has it. False if not now."""


class Reply(NamedTuple):
    """A JSON answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = _NONE

    def put_into(self, resp: falcon.asgi.Response) -> None:
        """Answer through Falcon."""
        resp.status = self.status
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self.body
        for name, value in self.headers.items():
            resp.set_header(name, value)

    async def send(self, scope: Mapping[str, Any], send: Any) -> None:
        """Answer the request of that ASGI scope; at once, if the server can."""
        answerer: Answerer | None = scope.get("extensions", {}).get(ANSWERER)
        if answerer and not self.headers and answerer.answer(send, self.status, self.body):
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body)),
        ]
        for name, value in self.headers.items():
            headers.append((name.lower().encode(), value.encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
