"""Authentication: the API key, in a header or the query string, or a browser session, on every
route but the open ones."""

from __future__ import annotations

import hmac
from typing import Final

import falcon.asgi

from tracker.api.middleware.credentials import request_key
from tracker.api.middleware.origin import is_foreign
from tracker.api.request_head import RequestHead
from tracker.auth.sessions import Sessions
from tracker.auth.wrong_keys import WrongKeys
from tracker.domain.lease import Lease
from tracker.errors import Forbidden, Issue, RateLimited, Unauthorized

# Open without a key (docs/contract.md, "Authentication"); the dashboard's pages are one file.
OPEN_PATHS: Final = frozenset(
    {
        *("/", "/projects", "/stats", "/events", "/settings", "/favicon.ico"),
        *("/health", "/healthz", "/readyz", "/proof", "/docs", "/redoc", "/openapi.json"),
    }
)
OPEN_PREFIXES: Final = ("/assets/", "/projects/", "/docs/assets/")

# These change nothing (RFC 9110, 9.2.1).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

FOREIGN_PAGE: Final = "A browser session is for this server's own pages; send the API key instead."


class Authenticator:
    """Falcon middleware, and the same check for WebSockets."""

    def __init__(self, api_key: str, sessions: Sessions, wrong_keys: WrongKeys) -> None:
        self._key = api_key.encode()
        self._sessions = sessions
        self._wrong_keys = wrong_keys
        self._lease = Lease()  # of whoever has the key

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Leaves the lease in the request's context. Raises as `check` does."""
        if is_open(req.path) or is_preflight(req):
            return
        req.context.lease = self.check(RequestHead.of(req.scope))

    def check(self, head: RequestHead) -> Lease:
        """Authenticate a request; the lease says how long its access lasts.

        Raises:
            Unauthorized: the request carries neither the key nor a session.
            RateLimited: it carries a wrong one, after many.
            Forbidden: it carries a session for another site's page.
        """
        given = request_key(head)
        if given is None:
            return self._check_session(head)
        if not self.accepts(given.encode("utf-8", "replace")):
            raise self._wrong_key(head) if given else _missing_key()
        return self._lease

    def accepts(self, key: bytes) -> bool:
        """Whether that is the key; takes the same time whatever it is."""
        return hmac.compare_digest(key, self._key)

    def _check_session(self, head: RequestHead) -> Lease:
        given = head.cookies(self._sessions.cookie)
        sessions = [self._sessions.read(token) for token in given]
        leases = [self._sessions.lease(session) for session in sessions if session is not None]
        lease = next((lease for lease in leases if lease is not None), None)
        if lease is None:  # one that is over was not guessed
            raise self._wrong_key(head) if None in sessions else _missing_key()
        # The browser sends the cookie for pages of this host's other ports too. They cannot read
        # the answers, but could change things, and a WebSocket's messages can be read by anyone.
        if (head.method not in SAFE_METHODS or head.is_websocket) and is_foreign(head):
            raise Forbidden(FOREIGN_PAGE)
        return lease

    def _wrong_key(self, head: RequestHead) -> Unauthorized | RateLimited:
        wait = self._wrong_keys.take(head.client)
        if wait:
            return RateLimited(
                "Too many wrong keys came from this address. The right one is taken at once; the "
                f"next wrong one is told apart in {wait} s.",
                wait,
            )
        return unauthorized("This is not the key of this server", "The API key is wrong")


def is_open(path: str) -> bool:
    """Whether the path, as it was sent, is answered without a key."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def is_preflight(req: falcon.asgi.Request) -> bool:
    """Whether a browser asks what it may send: it never sends a key with that."""
    return req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method") is not None


def unauthorized(issue: str, what: str) -> Unauthorized:
    """The error for a key that is missing or wrong."""
    return Unauthorized(
        f"{what}; send it as the header X-API-Key or Authorization: Bearer, or as ?api_key=.",
        [Issue("X-API-Key", issue)],
    )


def _missing_key() -> Unauthorized:
    return unauthorized("This has to be given", "An API key is needed")
