"""What the resources share: the query string, JSON with an ETag, names in paths, and redirects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import falcon
import falcon.asgi
import orjson
from falcon.routing import BaseConverter
from pydantic import BaseModel

from tracker.api.body import check_body, too_large
from tracker.api.content_coding import expand
from tracker.api.middleware.auth import (
    Authenticator,
    Rights,
    is_preflight,
    principal_of,
    require_access,
)
from tracker.api.middleware.compression import vary_by_encoding
from tracker.api.middleware.ratelimit import RateLimits
from tracker.api.parameters import Query
from tracker.api.request_head import RequestHead
from tracker.api.schemas import validate
from tracker.domain.limits import MAX_BODY_BYTES
from tracker.domain.parsing import parse_object
from tracker.domain.principal import Right

M = TypeVar("M", bound=Query)
B = TypeVar("B", bound=BaseModel)

# Answers a browser that asked for a page where there is none.
UnknownPage = Callable[[falcon.asgi.Request, falcon.asgi.Response], None]


def read_query(req: falcon.asgi.Request, model: type[M]) -> M:
    """Validate the query string; of a repeated parameter the last counts, unless it is meant to be.
    Empty parameters are ignored: frontends send them. Raises ValidationFailed."""
    params = {
        name: value[-1] if isinstance(value, list) and name not in model.repeatable else value
        for name, value in req.params.items()
    }
    present = {name: value for name, value in params.items() if value or model.keeps_blank}
    return validate(model, present)


async def read_json(req: falcon.asgi.Request, model: type[B], *, empty: bytes = b"") -> B:
    """Validate the body; `empty` stands for one without content. Raises InvalidJSON,
    ValidationFailed, and as `read_whole` does."""
    return validate(model, parse_object(await read_whole(req) or empty))


async def read_whole(req: falcon.asgi.Request) -> bytes:
    """The body, expanded.

    Raises:
        UnsupportedMediaType, PayloadTooLarge, BadRequest
        Unauthorized: the sender's access has ended meanwhile.
    """
    coding = check_body(RequestHead.of(req.scope))
    body = await req.stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise too_large()
    require_access(principal_of(req))
    return expand(body, coding) if coding is not None and body else body


def send_json(req: falcon.asgi.Request, resp: falcon.asgi.Response, content: Any) -> None:
    """Send `content` as JSON, or 304 if the client has it already."""
    body = orjson.dumps(content)
    # Weak: it names the content, compressed or not.
    etag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    if not not_modified(req, resp, etag, "private, no-cache"):
        resp.data = body


def not_modified(
    req: falcon.asgi.Request, resp: falcon.asgi.Response, etag: str, cache: str = "no-cache"
) -> bool:
    """Set the ETag; True, with the status 304, if the client has this content already, compressed
    or not (RFC 9110, 13.1.2). `cache`: the value of Cache-Control."""
    vary_by_encoding(resp)
    resp.set_header("ETag", etag)
    resp.set_header("Cache-Control", cache)
    if_none_match = req.get_header("If-None-Match")
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if known.isdisjoint(("*", etag.removeprefix("W/"))):
        return False
    resp.status = 304
    return True


class UnknownAddress:
    """Where there is nothing: said to whoever has a key, and to browsers by a page that is open
    to all: it tells no more of an address than that no page is there."""

    def __init__(self, authenticator: Authenticator, limits: RateLimits, page: UnknownPage) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._page = page

    async def answer(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_match: str
    ) -> None:
        """Falcon's sink. A preflight succeeds, so that the page sees the 404 itself. Raises
        HTTPNotFound, and as `Authenticator.admit` does."""
        if resp is None:
            raise falcon.HTTPNotFound
        if is_preflight(req):
            resp.set_header("Allow", "DELETE, GET, HEAD, OPTIONS, POST")
            return
        if req.method in ("GET", "HEAD") and "text/html" in req.accept:
            self._page(req, resp)
            return
        head = RequestHead.of(req.scope)
        req.context.principal = self._authenticator.admit(head, Right.SIGNED_IN)
        self._limits.check(req, resp)
        raise falcon.HTTPNotFound


class Redirect:
    """An address that browsers and people ask for, whose content is at another."""

    rights = Rights(get=Right.OPEN)

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
