"""A JSON answer, independent of any framework."""

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

    async def send(self, send: Any) -> None:
        """Answer through ASGI."""
        headers = {
            "content-type": falcon.MEDIA_JSON,
            "content-length": str(len(self.body)),
            **self.headers,
        }
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": self.body})

    def write_to(self, resp: falcon.asgi.Response) -> None:
        """Answer through Falcon."""
        resp.status = self.status
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self.body
        for name, value in self.headers.items():
            resp.set_header(name, value)
