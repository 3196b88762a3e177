"""Authentication and authorisation: who asks, by an API key in a header or the query string or by a
browser session, and whether they may. Each resource declares the rights that it needs.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import falcon.asgi

from tracker.addresses import NO_ADDRESS, counted_address
from tracker.api.accepted import say_accepted
from tracker.api.middleware.credentials import request_key
from tracker.api.middleware.origin import is_foreign
from tracker.api.request_head import RequestHead
from tracker.auth.audit import Audit
from tracker.auth.holders import Holders
from tracker.auth.sessions import Sessions
from tracker.auth.wrong_keys import WrongKeys
from tracker.domain.audit import Action, Actor
from tracker.domain.keys import is_misspelt
from tracker.domain.principal import Principal, Right, Scope
from tracker.errors import Forbidden, Issue, RateLimited, Unauthorized

# These change nothing (RFC 9110, 9.2.1).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

FOREIGN_PAGE: Final = "A browser session is for this server's own pages; send the API key instead."

_NOT_A_KEY: Final = "This is not the key of this server"
_MISSPELT: Final = "Characters of this key are missing or wrong: its checksum does not fit"


class Rights(NamedTuple):
    """What the methods of a resource need; None: it does not have the method."""

    get: Right | None = None
    post: Right | None = None
    delete: Right | None = None

    def needed(self, method: str) -> Right:
        """What a request needs. That there is no such method is said to whoever has a key, or to
        all where everything is open."""
        needed: Right | None = getattr(self, method.lower(), None)
        return needed or (Right.OPEN if self.get is Right.OPEN else Right.SIGNED_IN)


class Resource(Protocol):
    """What is at an address."""

    rights: Rights


class Authenticator:
    """Falcon middleware, and the same checks for WebSockets and webhooks."""

    def __init__(
        self,
        holders: Holders,
        sessions: Sessions,
        wrong_keys: WrongKeys,
        audit: Audit,
    ) -> None:
        self._holders = holders
        self._sessions = sessions
        self._wrong_keys = wrong_keys
        self._audit = audit

    async def process_resource(
        self,
        req: falcon.asgi.Request,
        _resp: falcon.asgi.Response,
        resource: Resource,
        _params: object,
    ) -> None:
        """Leaves the principal in the request's context. Raises as `admit` does."""
        needed = resource.rights.needed(req.method)
        if needed is not Right.OPEN and not is_preflight(req):
            req.context.principal = self.admit(RequestHead.of(req.scope), needed)
            say_accepted(req.scope)

    def admit(self, head: RequestHead, needed: Right) -> Principal:
        """Who sent the request, if they may do what takes this right.

        Raises:
            Unauthorized: the request carries neither a key nor a session.
            RateLimited: it carries a wrong one, after many.
            Forbidden: the key is not for this, or the session is for another site's page.
        """
        given = request_key(head)
        if given is None:
            principal = self._of_session(head)
        else:
            found = self._holders.find(given, _address(head))
            if found is None:
                raise self._wrong_key(head, given) if given else _missing_key()
            principal = found
        self.demand(principal, head, needed)
        return principal

    def demand(self, principal: Principal, head: RequestHead, needed: Right) -> None:
        """Raises Forbidden, which the audit log is told of."""
        if needed not in principal.rights:
            self.note_refusal(principal, head, needed)
            principal.require(needed)

    def note_refusal(self, principal: Principal, head: RequestHead, needed: str) -> None:
        """A key was used for what it is not for."""
        self._audit.note(Action.FORBIDDEN, _actor(principal, head), needed)

    def note_other_project(self, principal: Principal, head: RequestHead) -> None:
        """A key was used to report to a project that it is not for."""
        self.note_refusal(principal, head, "another project")

    def _of_session(self, head: RequestHead) -> Principal:
        given = head.cookies(self._sessions.cookie)
        sessions = [self._sessions.read(token) for token in given]
        holders = [self._sessions.principal(session) for session in sessions if session is not None]
        holder = next((holder for holder in holders if holder is not None), None)
        if holder is None:  # one that is over was not guessed
            raise self._wrong_key(head, "") if None in sessions else _missing_key()
        # The browser sends the cookie for pages of this host's other ports too. They cannot read
        # the answers, but could change things, and a WebSocket's messages can be read by anyone.
        if (head.method not in SAFE_METHODS or head.is_websocket) and is_foreign(head):
            raise Forbidden(FOREIGN_PAGE)
        return holder

    def _wrong_key(self, head: RequestHead, given: str) -> Unauthorized | RateLimited:
        wait = self._wrong_keys.take(head.client)
        self._audit.note(Action.WRONG_KEY, Actor("", counted_address(head.client)))
        if wait:
            return RateLimited(
                "Too many wrong keys came from this address. The right one is taken at once; the "
                f"next wrong one is told apart in {wait} s.",
                wait,
            )
        issue = _MISSPELT if is_misspelt(given) else _NOT_A_KEY
        return unauthorized(issue, "The API key is wrong")


def principal_of(req: falcon.asgi.Request) -> Principal:
    """Who sent a request whose resource is not open to all."""
    principal: Principal = req.context.principal
    return principal


def require_access(principal: Principal) -> None:
    """To be called where something is done once the body is there: it may come minutes after the
    head, by which the sender was admitted. Raises Unauthorized."""
    if principal.lease.is_over():
        raise Unauthorized(
            "The API key or the session has ended before the whole request was received; nothing "
            "was done.",
            [Issue("X-API-Key", "It was revoked or has expired")],
        )


def scope_of(req: falcon.asgi.Request) -> Scope:
    """The projects that exist for whoever sent it."""
    return principal_of(req).scope


def actor_of(req: falcon.asgi.Request) -> Actor:
    """Who sent it, as the audit log names them."""
    return _actor(principal_of(req), RequestHead.of(req.scope))


def _actor(principal: Principal, head: RequestHead) -> Actor:
    return Actor(principal.name, _address(head))


def _address(head: RequestHead) -> str:
    return head.client[0] if head.client else NO_ADDRESS


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
