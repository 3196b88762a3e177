"""Which hosts and origins are ours: against DNS rebinding and cross-site WebSockets."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

import falcon.asgi
from falcon.middleware import CORSMiddleware

from tracker.errors import BadRequest, Issue
from tracker.keys import is_loopback

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::\d*)?")


class AllowedHosts:
    """Falcon middleware: refuses a `Host` that is not ours."""

    def __init__(self, allowed: Collection[str] | None, bound: str) -> None:
        """`allowed` None or empty: loopback names and the bound address; any, if bound beyond
        loopback."""
        if not allowed:
            allowed = (*LOOPBACK_NAMES, _literal(bound)) if is_loopback(bound) else (ANY,)
        self._allowed = frozenset(name.lower() for name in allowed)
        self._any = ANY in self._allowed
        self.allows = lru_cache(maxsize=64)(self._allows)

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises BadRequest."""
        self.check(req)

    async def process_request_ws(
        self, req: falcon.asgi.Request, _ws: falcon.asgi.WebSocket
    ) -> None:
        """Raises BadRequest."""
        self.check(req)

    def check(self, req: falcon.asgi.Request) -> None:
        """Raises BadRequest unless the request's `Host` is an allowed one."""
        if not self.allows(req.get_header("Host") or ""):
            raise BadRequest(
                "The Host header names a host that is not this server's; "
                "allow it with --allowed-host if it is.",
                [Issue("Host", "This is not an allowed host")],
            )

    def _allows(self, host: str) -> bool:
        """Whether a `Host` header's value names this server."""
        return self._any or _name(host) in self._allowed


class Origins:
    """Whose pages may use the API: our own and the CORS origins."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def middleware(self) -> CORSMiddleware[falcon.asgi.Request, falcon.asgi.Response]:
        """Falcon's CORS middleware for these origins."""
        return _Cors(
            ANY if ANY in self._allowed else self._allowed,
            expose_headers=(
                "ETag",
                "Idempotent-Replayed",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
                "X-Request-ID",
            ),
        )

    def admits(self, req: falcon.asgi.Request) -> bool:
        """Whether a WebSocket may be opened by the page that asks; programs send no origin."""
        origin = req.get_header("Origin")
        if origin is None or ANY in self._allowed or origin in self._allowed:
            return True
        return _is_own(origin, req)


class _Cors(CORSMiddleware[falcon.asgi.Request, falcon.asgi.Response]):
    """Tells caches that the answer depends on the origin, and browsers to ask seldom."""

    async def process_response_async(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """See CORSMiddleware. What is POSTed is cached nowhere."""
        if req.method != "POST" or req.get_header("Origin") is not None:
            resp.append_header("Vary", "Origin")
            await super().process_response_async(req, resp, resource, req_succeeded)


def is_foreign(req: falcon.asgi.Request) -> bool:
    """Whether a browser sent this for a page that is not of this very origin.

    Sec-Fetch-Site is the browser's own word and holds behind proxies too; where it is missing,
    Origin is compared. Programs send neither.
    """
    site = req.get_header("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = req.get_header("Origin")
    return origin is not None and not _is_own(origin, req)


def _is_own(origin: str, req: falcon.asgi.Request) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and host == req.get_header("Host")


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _name(host: str) -> str:
    """The host without its port (RFC 3986, 3.2.2: an IPv6 address stands in brackets)."""
    match = _HOST.fullmatch(host)
    return match[1].lower() if match else ""
