"""`/client.js` and its types: what scripts of any origin that may ask import."""

from __future__ import annotations

from importlib import resources
from typing import Final

import falcon
import falcon.asgi

from tracker.api.middleware.auth import Rights
from tracker.api.pages.unchanging import Unchanging
from tracker.api.resources import not_modified
from tracker.domain.principal import Right

MODULE: Final = "client.js"
TYPES: Final = "client.d.ts"
_MEDIA: Final = {
    MODULE: "text/javascript; charset=utf-8",
    TYPES: "application/typescript; charset=utf-8",
}


class ClientModule:
    """One of the two files, read at start like all pages."""

    rights = Rights(get=Right.OPEN)

    def __init__(self, name: str) -> None:
        content = (resources.files("tracker") / "web" / "client" / name).read_bytes()
        self._file = Unchanging(content, _MEDIA[name])

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The file; asked for again, 304."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if self._file.media_type == _MEDIA[MODULE]:
            resp.set_header("X-TypeScript-Types", "./client.d.ts")  # Deno reads it
        if not not_modified(req, resp, self._file.etag):
            self._file.write_to(req, resp)
