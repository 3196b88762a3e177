"""`/health`, `/healthz`, `/readyz`, `/db-check`, `/redis-check`: checks that are made, not
claimed."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Final

import falcon.asgi
import orjson

import tracker
from tracker.api import responses
from tracker.api.middleware.auth import Rights
from tracker.clock import Clock, iso
from tracker.domain.ports import StorageCheck
from tracker.domain.principal import Right
from tracker.domain.records import StorageHealth
from tracker.errors import Unavailable
from tracker.ws.hub import Hub


class Health:
    """`/health`: liveness, whatever the database does."""

    rights = Rights(get=Right.OPEN)

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


class Alive:
    """`/healthz`: liveness for Kubernetes and others, without details."""

    rights = Rights(get=Right.OPEN)

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The server answers, hence it lives."""
        resp.data = b'{"status":"ok"}'


class Ready:
    """`/readyz`: whether reports can be recorded. It is open to all, so the database is checked at
    most once a second, and nobody waits long for it."""

    rights = Rights(get=Right.OPEN)

    _MAX_AGE: Final = 1.0  # seconds
    _TIMEOUT: Final = 1.0  # probes give up after a second, as a rule

    def __init__(self, store: StorageCheck, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._check: asyncio.Task[StorageHealth] | None = None
        self._checked_at = -math.inf

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """503 unless the database can be written and read."""
        now = self._clock.monotonic()
        if self._check is None or (self._check.done() and now - self._checked_at >= self._MAX_AGE):
            self._check = asyncio.create_task(self._store.health())
            self._check.add_done_callback(_retrieve)
            self._checked_at = now
        await asyncio.wait({self._check}, timeout=self._TIMEOUT)
        ready = False
        with suppress(asyncio.InvalidStateError, Unavailable):  # not yet, or not now
            ready = self._check.result() is not None
        resp.set_header("Cache-Control", "no-store")
        if ready:
            resp.data = b'{"status":"ready"}'
        else:
            resp.status = 503
            resp.set_header("Retry-After", "1")
            resp.data = b'{"status":"unavailable"}'


def _retrieve(check: asyncio.Task[StorageHealth]) -> None:
    """Whoever asked may have gone without the answer, and asyncio would log a failure."""
    if not check.cancelled():
        check.exception()


class DatabaseCheck:
    """`/db-check`."""

    rights = Rights(get=Right.READ)

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

    rights = Rights(get=Right.READ)

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
