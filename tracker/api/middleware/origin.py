"""The allowed hosts and origins: against DNS rebinding and cross-site WebSockets."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

import falcon.asgi
from falcon.middleware import CORSMiddleware

from agent_task_tracker.keys import is_loopback
from tracker.api.request_head import RequestHead
from tracker.errors import BadRequest, Issue

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"

# Headers of answers that scripts of other origins may read.
_EXPOSED = ", ".join(
    ("ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")
)

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::\d*)?")


class AllowedHosts:
    """Refuses a `Host` that is not ours."""

    def __init__(self, allowed: Collection[str] | None, bound: str) -> None:
        """`allowed` beside loopback names and the bound address; None or empty: any, if bound
        beyond loopback."""
        if not allowed and not is_loopback(bound):
            allowed = (ANY,)
        names = (*LOOPBACK_NAMES, _host_literal(bound), *(allowed or ()))
        self._allowed = frozenset(name.lower() for name in names)
        self._any = ANY in self._allowed
        self.allows = lru_cache(maxsize=64)(self._allows)

    def check(self, head: RequestHead) -> None:
        """Raises BadRequest unless the request's `Host` is an allowed one."""
        if not self.allows(head.get(b"host") or ""):
            raise BadRequest(
                "The Host header names a host that is not this server's; "
                "allow it with --allowed-host if it is.",
                [Issue("Host", "This is not an allowed host")],
            )

    def _allows(self, host: str) -> bool:
        """Whether a `Host` header's value names this server."""
        return self._any or _host_name(host) in self._allowed


class Origins:
    """Whose pages may use the API: our own and the CORS origins."""

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = frozenset(allowed)

    def middleware(self) -> CORSMiddleware[falcon.asgi.Request, falcon.asgi.Response]:
        """Falcon's CORS middleware for these origins, for preflights and all that is no webhook."""
        return _Cors(self)

    def headers(self, head: RequestHead) -> dict[str, str]:
        """The CORS headers of an answer, and `Vary` for caches. Answers to POST are never
        cached."""
        origin = head.get(b"origin")
        if origin is None:
            return {} if head.method == "POST" else {"Vary": "Origin"}
        if not self._allows(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": ANY if ANY in self.allowed else origin,
            "Access-Control-Expose-Headers": _EXPOSED,
        }

    def admits(self, head: RequestHead) -> bool:
        """Whether a WebSocket may be opened by the page that asks; programs send no origin."""
        origin = head.get(b"origin")
        return origin is None or self._allows(origin) or _is_own(origin, head)

    def _allows(self, origin: str) -> bool:
        return ANY in self.allowed or origin in self.allowed


class _Cors(CORSMiddleware[falcon.asgi.Request, falcon.asgi.Response]):
    """Falcon's answers to preflights; our own headers otherwise."""

    def __init__(self, origins: Origins) -> None:
        super().__init__(ANY if ANY in origins.allowed else origins.allowed)
        self._origins = origins

    async def process_response_async(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """See CORSMiddleware."""
        headers = self._origins.headers(RequestHead.of(req.scope))
        vary = headers.pop("Vary", None)
        if vary:
            resp.append_header("Vary", vary)
        resp.set_headers(headers)
        if req.method == "OPTIONS":
            await super().process_response_async(req, resp, resource, req_succeeded)


def is_foreign(head: RequestHead) -> bool:
    """Whether a browser sent this for a page that is not of this very origin.

    Sec-Fetch-Site is the browser's own word and holds behind proxies too; where it is missing,
    Origin is compared. Programs send neither.
    """
    site = head.get(b"sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = head.get(b"origin")
    return origin is not None and not _is_own(origin, head)


def _is_own(origin: str, head: RequestHead) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and host == head.get(b"host")


def _host_literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_name(host: str) -> str:
    """The host without its port (RFC 3986, 3.2.2: an IPv6 address stands in brackets)."""
    match = _HOST.fullmatch(host)
    return match[1].lower() if match else ""
