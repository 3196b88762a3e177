"""Who may ask: the API key, in a header or the query string, on every route but the open ones."""

from __future__ import annotations

import hmac
from typing import Final

import falcon.asgi

from tracker.errors import Issue, Unauthorized

# Open without a key (the contract's "Authentication").
_OPEN: Final = frozenset({"/", "/health", "/docs", "/redoc", "/openapi.json", "/favicon.ico"})
_OPEN_UNDER: Final = ("/docs/", "/redoc/")


class Authenticator:
    """Falcon middleware, and the same check for WebSockets."""

    def __init__(self, api_key: str) -> None:
        self._key = api_key.encode()

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises Unauthorized."""
        if is_open(req.path) or is_preflight(req):
            return
        self.check(req)

    def check(self, req: falcon.asgi.Request) -> None:
        """Raises Unauthorized unless the request carries the key."""
        given = _given(req)
        if given is None:
            raise _refusal("This has to be given", "An API key is needed")
        if not self.accepts(given.encode("utf-8", "replace")):
            raise _refusal("This is not the key of this server", "The API key is wrong")

    def accepts(self, key: bytes) -> bool:
        """Whether that is the key; takes the same time whatever it is."""
        return hmac.compare_digest(key, self._key)


def is_open(path: str) -> bool:
    """Whether the path is answered without a key."""
    return path in _OPEN or path.startswith(_OPEN_UNDER)


def is_preflight(req: falcon.asgi.Request) -> bool:
    """Whether a browser asks what it may send: it never sends a key with that."""
    return req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method") is not None


def _given(req: falcon.asgi.Request) -> str | None:
    key = req.get_header("X-API-Key")
    if key is not None:
        return key
    authorization = req.get_header("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    return req.get_param("api_key")


def _refusal(issue: str, what: str) -> Unauthorized:
    return Unauthorized(
        f"{what}; send it as the header X-API-Key or Authorization: Bearer, or as ?api_key=.",
        [Issue("X-API-Key", issue)],
    )
