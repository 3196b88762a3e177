"""`/health`, `/db-check`, `/redis-check`: three checks that are made, not claimed."""

from __future__ import annotations

import falcon.asgi
import orjson

import tracker
from tracker.api import responses
from tracker.clock import Clock, iso
from tracker.domain.ports import StorageCheck
from tracker.errors import Unavailable
from tracker.ws.hub import Hub


class Health:
    """`/health`: liveness, whatever the database does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The server answers, hence it lives."""
        resp.data = orjson.dumps(
            {
                "status": "healthy",
                "timestamp": iso(self._clock.now_ms()),
                "version": tracker.__version__,
            }
        )


class DatabaseCheck:
    """`/db-check`."""

    def __init__(self, store: StorageCheck, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Write to the database and read from it."""
        content = {"status": "connected", "database": self._store.kind}
        try:
            content |= responses.storage(self._store.kind, await self._store.health())
        except Unavailable as error:
            resp.status = 503
            resp.set_header("Retry-After", str(error.retry_after))
            content |= {"status": "error", "message": error.message}
        content["timestamp"] = iso(self._clock.now_ms())
        resp.data = orjson.dumps(content)


class HubCheck:
    """`/redis-check`: there is no Redis; what does its work here is checked in its place."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A round trip through the hub's wake-up."""
        arrived = await self._hub.round_trip()
        if not arrived:
            resp.status = 503
        resp.data = orjson.dumps(
            {
                "status": "connected" if arrived else "error",
                "redis_version": None,
                "backend": "in-process",
                "timestamp": iso(self._clock.now_ms()),
            }
        )
