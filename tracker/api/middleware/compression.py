"""JSON is compressed for who asks for it (RFC 9110, 12.5.3)."""

from __future__ import annotations

import asyncio
from typing import Final

import falcon
import falcon.asgi

from tracker.api.content_coding import accepts_gzip, gzip_quickly

# Bytes. What is smaller fits into a packet anyway.
_MIN_SIZE: Final = 1024

# Bytes. What is larger is compressed in a thread, so that nobody else waits: a third of a
# millisecond for this much.
_MAX_INLINE: Final = 64 * 1024


class Compression:
    """Falcon middleware. Streams and webhooks are not its concern: the ones would wait, the others'
    answers are small and never get here."""

    async def process_response(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        _resource: object,
        _req_succeeded: bool,
    ) -> None:
        """Compress the answer, unless it is already, or what it is of is not worth it."""
        body = resp.data
        if body is None or resp.content_type not in (None, falcon.MEDIA_JSON):
            return
        vary_by_encoding(resp)
        if len(body) < _MIN_SIZE or resp.get_header("Content-Encoding"):
            return
        if accepts_gzip(req.get_header("Accept-Encoding")):
            resp.set_header("Content-Encoding", "gzip")
            small = len(body) <= _MAX_INLINE
            resp.data = gzip_quickly(body) if small else await asyncio.to_thread(gzip_quickly, body)


def vary_by_encoding(resp: falcon.asgi.Response) -> None:
    """Say to caches that others may get it compressed, or plain."""
    if "Accept-Encoding" not in (resp.get_header("Vary") or ""):
        resp.append_header("Vary", "Accept-Encoding")
