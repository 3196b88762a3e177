"""`/api/session`: the dashboard trades the API key for a cookie that scripts cannot read."""

from __future__ import annotations

import falcon.asgi
import orjson

from tracker.api.middleware.auth import Authenticator, Rights, actor_of, principal_of, unauthorized
from tracker.api.middleware.credentials import request_key
from tracker.api.parameters import SignOutQuery
from tracker.api.request_head import RequestHead
from tracker.api.resources import read_query
from tracker.auth.audit import Audit
from tracker.auth.sessions import LIFETIME, Sessions
from tracker.clock import iso
from tracker.domain.audit import Action
from tracker.domain.principal import Right


class Session:
    """`/api/session`. The key, or the session itself, has been checked before."""

    rights = Rights(post=Right.READ, delete=Right.SIGNED_IN)

    def __init__(self, sessions: Sessions, authenticator: Authenticator, audit: Audit) -> None:
        self._sessions = sessions
        self._authenticator = authenticator
        self._audit = audit

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Sign in. It takes the key itself: a session cannot prolong itself."""
        if request_key(RequestHead.of(req.scope)) is None:
            raise unauthorized("This has to be given", "To sign in, the API key is needed")
        session, ends = self._sessions.issue(principal_of(req))
        self._audit.note(Action.SIGNED_IN, actor_of(req))
        resp.set_cookie(
            self._sessions.cookie,
            session,
            max_age=LIFETIME,
            path="/",
            # Over plain HTTP a browser drops what is marked Secure.
            secure=req.forwarded_scheme == "https",
            http_only=True,
            same_site="Strict",
        )
        resp.set_header("Cache-Control", "no-store")
        resp.status = 201
        resp.data = orjson.dumps({"expires_at": iso(ends)})

    async def on_delete(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Sign out: the session is over, wherever its cookie went; or all sessions are, which takes
        an administrator. Without a session, one of the two is left to do. Raises Forbidden."""
        query = read_query(req, SignOutQuery)
        if query.all:
            head = RequestHead.of(req.scope)
            self._authenticator.demand(principal_of(req), head, Right.ADMIN)
        resp.unset_cookie(self._sessions.cookie, path="/", same_site="Strict")
        if query.all:
            self._audit.note(Action.SIGNED_OUT_ALL, actor_of(req))
            await self._sessions.revoke_all()
        else:
            await self._sessions.revoke(req.get_cookie_values(self._sessions.cookie) or ())
        resp.status = 204
