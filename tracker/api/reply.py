"""An answer before it is given to a framework."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import falcon
import falcon.asgi

_NONE: Mapping[str, str] = MappingProxyType({})


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

    async def send(self, send: Any) -> None:
        """Answer as ASGI has it."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body)),
        ]
        for name, value in self.headers.items():
            headers.append((name.lower().encode(), value.encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
