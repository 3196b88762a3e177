"""`/api/search`: tasks of all projects, for the dashboard."""

from __future__ import annotations

import falcon.asgi

from tracker.api.resources import answer, read_query
from tracker.api.schemas import SearchQuery
from tracker.store.sqlite.store import Store


class Search:
    """`/api/search`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The newest tasks of any project that hold all of the words."""
        query = read_query(req, SearchQuery)
        answer(req, resp, {"tasks": await self._store.search(query.q, query.limit)})
