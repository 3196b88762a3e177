"""`/api/sessions`: conversations and runs that tasks belong to. Browsers' sessions are in
`tracker.api.session`."""

from __future__ import annotations

import falcon.asgi

from tracker.api import responses
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.parameters import SessionsQuery
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import TaskStore
from tracker.domain.principal import Right


class AgentSessions:
    """`/api/sessions`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of them, those that reported last first."""
        query = read_query(req, SessionsQuery)
        page = await self._store.agent_sessions(scope_of(req), query.to_query())
        send_json(
            req,
            resp,
            {
                "sessions": [responses.agent_session(session) for session in page.sessions],
                "total": page.total,
                "limit": query.limit,
                "offset": query.offset,
            },
        )
