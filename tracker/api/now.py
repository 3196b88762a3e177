"""`/api/now`: what happens over all projects, for the dashboard."""

from __future__ import annotations

import falcon.asgi

from tracker.api.resources import answer, read_query
from tracker.api.schemas import NowQuery
from tracker.store.sqlite.store import Store


class Now:
    """`/api/now`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """What runs and what ended last; `last_id` is the cursor for what happens after it."""
        query = read_query(req, NowQuery)
        answer(req, resp, await self._store.now(query.active, query.ended))
