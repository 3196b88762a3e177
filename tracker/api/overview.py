"""`/api/now`, `/api/search`, `/api/stats/trends`: over all projects, for the dashboard."""

from __future__ import annotations

import falcon.asgi

from tracker.api.resources import answer, read_query
from tracker.api.schemas import NowQuery, SearchQuery, TrendsQuery
from tracker.store.sqlite.store import Store


class Now:
    """`/api/now`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """What runs and what ended last; `last_id` is the cursor for what happens after it."""
        query = read_query(req, NowQuery)
        answer(req, resp, await self._store.now(query.active, query.ended))


class Search:
    """`/api/search`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The newest tasks of any project that hold all of the words."""
        query = read_query(req, SearchQuery)
        answer(req, resp, {"tasks": await self._store.search(query.q, query.limit)})


class Trends:
    """`/api/stats/trends`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Ends a day, and how long the latest tasks took, in all and by agent."""
        query = read_query(req, TrendsQuery)
        answer(req, resp, await self._store.trends(query.days))
