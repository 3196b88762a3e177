"""`/api/now`: what happens over all projects, for the dashboard."""

from __future__ import annotations

import falcon.asgi

from tracker.api import responses
from tracker.api.insight_parameters import NowQuery
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import StatsReader
from tracker.domain.principal import Right


class Now:
    """`/api/now`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """What runs and what ended last; `last_id` is the cursor for what happens after it."""
        query = read_query(req, NowQuery)
        found = await self._store.now(scope_of(req), query.active, query.ended, query.zone)
        send_json(req, resp, responses.now(found))
