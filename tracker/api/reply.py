"""An answer before it is given to a framework."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

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
