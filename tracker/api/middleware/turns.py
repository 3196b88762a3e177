"""Reads take turns: so many of one key at a time, whatever comes on how many connections.

Each read takes time from the event loop and, with Python's lock, from all threads. If those of a
client ran together, reports of others would wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Final

import falcon.asgi

from tracker.api.body import ASGI
from tracker.api.middleware.auth import Resource, principal_of
from tracker.domain.principal import Right
from tracker.errors import RateLimited

# A page that asks for several things at once gets them although one of them takes long. With more,
# reports wait for longer (docs/reliability.md).
AT_ONCE: Final = 2

# More than a client has need of, and few enough that those who wait take little memory.
MAX_WAITING: Final = 100

_TURN: Final = "tracker.turn"


class ReadTurns:
    """Falcon middleware. A turn ends when the answer is there, not when the client has taken it."""

    def __init__(self, at_once: int = AT_ONCE, max_waiting: int = MAX_WAITING) -> None:
        """Of one key."""
        self._keys: defaultdict[int, _Key] = defaultdict(lambda: _Key(at_once, max_waiting))

    async def process_resource(
        self,
        req: falcon.asgi.Request,
        _resp: falcon.asgi.Response,
        resource: Resource,
        _params: object,
    ) -> None:
        """Wait for a turn. Raises RateLimited: too many wait already."""
        if (
            req.method == "GET"
            and resource.rights.get is Right.READ
            and req.path.startswith("/api/")
        ):
            await self.begin(req)

    async def begin(self, req: falcon.asgi.Request) -> None:
        """Wait for a turn, which ends with the request. Raises RateLimited: too many wait
        already."""
        if _TURN not in req.scope:
            req.scope[_TURN] = await self._keys[principal_of(req).key_id].take()

    async def process_response(
        self,
        req: falcon.asgi.Request,
        _resp: falcon.asgi.Response,
        _resource: object,
        _req_succeeded: bool,
    ) -> None:
        """End the turn, if there was one."""
        end_turn(req.scope)


class EndTurns:
    """The application around: no turn outlasts its request, however that ends."""

    def __init__(self, app: ASGI) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            end_turn(scope)


def end_turn(scope: Any) -> None:
    """Let the next one go on."""
    turn: _Key | None = scope.pop(_TURN, None)
    if turn is not None:
        turn.end()


class _Key:
    def __init__(self, at_once: int, max_waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + max_waiting
        self._asked = 0

    async def take(self) -> _Key:
        if self._asked >= self._most:
            raise RateLimited(
                f"{self._asked} reads by this key are under way or wait. Ask for less at once.", 1
            )
        self._asked += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._asked -= 1
            raise
        return self

    def end(self) -> None:
        self._asked -= 1
        self._free.release()
