"""`/api/timeline`: what agents did over a range of time."""

from __future__ import annotations

import falcon.asgi

from tracker.api import insight_responses as responses
from tracker.api.insight_parameters import TimelineParameters
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.resources import read_query, send_json
from tracker.clock import Clock
from tracker.domain.ports import StatsReader
from tracker.domain.principal import Right


class Timeline:
    """`/api/timeline`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Each agent's tasks by bins, and one by one where they are few."""
        query = read_query(req, TimelineParameters).to_query(self._clock.now_ms())
        send_json(req, resp, responses.timeline(await self._store.timeline(scope_of(req), query)))
