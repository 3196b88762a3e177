"""What the resources share: reading the query string, answering JSON with an ETag, names in paths,
and addresses that lead to another."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar
from urllib.parse import unquote

import falcon
import falcon.asgi
import orjson
from falcon.routing import BaseConverter

from tracker.api.middleware.auth import is_preflight
from tracker.api.schemas import Query, validate

M = TypeVar("M", bound=Query)


def read_query(req: falcon.asgi.Request, model: type[M]) -> M:
    """The query string as the model; of a parameter given twice, the last. An empty one is none:
    frontends send them. Raises ValidationFailed."""
    params = {
        name: value[-1] if isinstance(value, list) else value for name, value in req.params.items()
    }
    said = {name: value for name, value in params.items() if value or model.blank_counts}
    return validate(model, said)


def answer(req: falcon.asgi.Request, resp: falcon.asgi.Response, content: Any) -> None:
    """`content` as JSON, or 304 if the client has just that already."""
    body = orjson.dumps(content)
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    if not unchanged(req, resp, etag, "private, no-cache"):
        resp.data = body


def unchanged(
    req: falcon.asgi.Request, resp: falcon.asgi.Response, etag: str, cache: str = "no-cache"
) -> bool:
    """Name the answer by `etag`; True, and 304 is the answer, if the client has just that already
    (RFC 9110, 13.1.2). `cache` is for Cache-Control."""
    resp.set_header("ETag", etag)
    resp.set_header("Cache-Control", cache)
    wanted = req.get_header("If-None-Match")
    if wanted is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    if known.isdisjoint(("*", etag.removeprefix("W/"))):
        return False
    resp.status = 304
    return True


async def elsewhere(
    req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_match: str
) -> None:
    """An address that is none. A browser that asks first may ask it all the same, so that its page
    sees the 404. Raises HTTPNotFound."""
    if resp is None or not is_preflight(req):
        raise falcon.HTTPNotFound
    resp.set_header("Allow", "DELETE, GET, HEAD, OPTIONS, POST")


class Redirect:
    """An address that browsers and people ask for, where the answer stands at another."""

    def __init__(self, to: str) -> None:
        self._to = to

    async def on_get(self, _req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises HTTPTemporaryRedirect: a permanent one would outlast this version's assets."""
        raise falcon.HTTPTemporaryRedirect(self._to)


class RawPath:
    """Routes by the path as it was sent, so that `org%2Frepo` is one segment, and that a rule which
    looks at the path sees what the router sees.

    Falcon is handed the path decoded, and overlooks slashes before it; `NameConverter` decodes the
    segments instead.
    """

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises HTTPNotFound."""
        self.restore(req)

    async def process_request_ws(
        self, req: falcon.asgi.Request, _ws: falcon.asgi.WebSocket
    ) -> None:
        """Raises HTTPNotFound."""
        self.restore(req)

    def restore(self, req: falcon.asgi.Request) -> None:
        """Raises HTTPNotFound for a path with an empty segment: nothing of ours has one."""
        raw: bytes = req.scope.get("raw_path") or b""
        if b"//" in raw:
            raise falcon.HTTPNotFound
        if b"%" in raw:
            path = raw.decode("latin-1")
            req.path = path.rstrip("/") or "/"  # as Falcon does with the others


class NameConverter(BaseConverter):
    """A project's name or a task's id in a path, percent-decoded (RFC 3986, 2.1)."""

    def convert(self, value: str) -> str | None:
        """None, that is 404, for what cannot be a name."""
        try:
            return unquote(value, errors="strict") or None
        except UnicodeDecodeError:
            return None
