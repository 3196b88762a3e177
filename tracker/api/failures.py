"""`/api/failures`: what failed of late, alike together."""

from __future__ import annotations

import falcon.asgi

from tracker.api import insight_responses as responses
from tracker.api.insight_parameters import FailuresParameters
from tracker.api.middleware.auth import Rights, scope_of
from tracker.api.resources import read_query, send_json
from tracker.clock import Clock
from tracker.domain.ports import StatsReader
from tracker.domain.principal import Right


class Failures:
    """`/api/failures`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: StatsReader, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """By project, type and message."""
        query = read_query(req, FailuresParameters).to_query(self._clock.now_ms())
        send_json(req, resp, responses.failures(await self._store.failures(scope_of(req), query)))
