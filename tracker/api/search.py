"""`/api/search`: tasks of all projects, for the dashboard."""

from __future__ import annotations

import falcon.asgi

from tracker.api import responses
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.parameters import SearchQuery
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import TaskStore
from tracker.domain.principal import Right


class Search:
    """`/api/search`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The newest tasks of any project that hold all of the words."""
        query = read_query(req, SearchQuery)
        found = await self._store.search(scope_of(req), query.q, query.limit)
        send_json(req, resp, {"tasks": [responses.task_line(line) for line in found]})
