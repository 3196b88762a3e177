"""`/api/stats`, of everything, of one project and over time; `/api/websocket/stats`."""

from __future__ import annotations

import falcon.asgi

from tracker.api import responses
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.parameters import ProjectStatsQuery, TrendsQuery
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import StatsReader
from tracker.domain.principal import Right
from tracker.ws.connections import Connections


class Stats:
    """`/api/stats`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The figures over all projects."""
        stats = await self._store.overall_stats(scope_of(req))
        send_json(req, resp, responses.overall_stats(stats))


class ProjectStats:
    """`/api/stats/projects/{project_name}`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader) -> None:
        self._store = store

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str
    ) -> None:
        """One project's figures."""
        query = read_query(req, ProjectStatsQuery)
        stats = await self._store.project_stats(scope_of(req), project_name, query.days)
        send_json(req, resp, responses.project_stats(stats))


class Trends:
    """`/api/stats/trends`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Ends a day, and how long the latest tasks took, in all and by agent."""
        query = read_query(req, TrendsQuery)
        found = await self._store.trends(scope_of(req), query.days)
        send_json(req, resp, responses.trends(found))


class WebSocketStats:
    """`/api/websocket/stats`."""

    rights = Rights(get=Right.READ)

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The open WebSockets and what went over them."""
        send_json(req, resp, self._connections.stats(scope_of(req)))
