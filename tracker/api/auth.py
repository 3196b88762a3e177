"""Who may ask: the API key, in a header or the query string, or a browser session, on every route
but the open ones."""

from __future__ import annotations

import hmac
from typing import Final

import falcon.asgi

from tracker.api.origin import is_foreign
from tracker.errors import Forbidden, Issue, Unauthorized
from tracker.sessions import Sessions

# Open without a key (the contract's "Authentication"); the dashboard's pages are one static file.
_OPEN: Final = frozenset(
    {
        *("/", "/projects", "/stats", "/events", "/settings"),
        *("/health", "/proof", "/docs", "/redoc", "/openapi.json", "/favicon.ico"),
    }
)
_OPEN_UNDER: Final = ("/assets/", "/projects/", "/docs/", "/redoc/")

# These change nothing (RFC 9110, 9.2.1).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

FOREIGN_PAGE: Final = "A browser session is for this server's own pages; send the API key instead."


class Authenticator:
    """Falcon middleware, and the same check for WebSockets."""

    def __init__(self, api_key: str, sessions: Sessions) -> None:
        self._key = api_key.encode()
        self._sessions = sessions

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises Unauthorized, Forbidden."""
        if is_open(req.path) or is_preflight(req):
            return
        self.check(req)

    def check(self, req: falcon.asgi.Request) -> None:
        """Raises Unauthorized unless the request carries the key or a session; Forbidden if it
        carries a session for another site's page."""
        given = given_key(req)
        if given is None:
            self._check_session(req)
        elif not self.accepts(given.encode("utf-8", "replace")):
            raise refusal("This is not the key of this server", "The API key is wrong")

    def accepts(self, key: bytes) -> bool:
        """Whether that is the key; takes the same time whatever it is."""
        return hmac.compare_digest(key, self._key)

    def _check_session(self, req: falcon.asgi.Request) -> None:
        given = req.get_cookie_values(self._sessions.cookie) or ()
        if not any(self._sessions.recognises(session) for session in given):
            raise refusal("This has to be given", "An API key is needed")
        # The browser sends the cookie for pages of this host's other ports too. They cannot read
        # the answers, but could change things, and a WebSocket's messages can be read by anyone.
        if (req.method not in SAFE_METHODS or req.scope["type"] == "websocket") and is_foreign(req):
            raise Forbidden(FOREIGN_PAGE)


def is_open(path: str) -> bool:
    """Whether the path is answered without a key."""
    return path in _OPEN or path.startswith(_OPEN_UNDER)


def is_preflight(req: falcon.asgi.Request) -> bool:
    """Whether a browser asks what it may send: it never sends a key with that."""
    return req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method") is not None


def given_key(req: falcon.asgi.Request) -> str | None:
    """The API key that came with the request, right or wrong."""
    key = req.get_header("X-API-Key")
    if key is not None:
        return key
    authorization = req.get_header("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    return req.get_param("api_key")


def refusal(issue: str, what: str) -> Unauthorized:
    """The answer to a key that is missing or wrong."""
    return Unauthorized(
        f"{what}; send it as the header X-API-Key or Authorization: Bearer, or as ?api_key=.",
        [Issue("X-API-Key", issue)],
    )
