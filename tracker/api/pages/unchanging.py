"""Content that does not change while the server runs."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

import falcon.asgi

from tracker.api.content_coding import accepts_gzip, gzip_once
from tracker.api.middleware.compression import vary_by_encoding

# Bytes. What is smaller fits into a packet anyway.
_MIN_SIZE: Final = 1024


class Unchanging:
    """A file, or what is made once; compressed once too, when it is first asked for so."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    @cached_property
    def etag(self) -> str:
        """Weak: it names the content, compressed or not."""
        return f'W/"{hashlib.blake2b(self.content, digest_size=12).hexdigest()}"'

    @cached_property
    def _gzipped(self) -> bytes:
        return gzip_once(self.content)

    def write_to(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send it, compressed to who takes that."""
        resp.content_type = self.media_type
        vary_by_encoding(resp)
        if len(self.content) >= _MIN_SIZE and accepts_gzip(req.get_header("Accept-Encoding")):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = self._gzipped
        else:
            resp.data = self.content
