"""`/api/stats/insights`: cost, success and duration of what ended in the last days."""

from __future__ import annotations

import falcon.asgi

from tracker.api import insight_responses as responses
from tracker.api.insight_parameters import InsightsParameters
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import StatsReader
from tracker.domain.principal import Right


class Insights:
    """`/api/stats/insights`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """By day, project, agent, model and title."""
        query = read_query(req, InsightsParameters)
        found = await self._store.insights(scope_of(req), query.to_query())
        send_json(req, resp, responses.insights(found, query.tz))
