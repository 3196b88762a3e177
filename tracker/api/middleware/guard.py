"""Checks that every request has to pass before authentication."""

from __future__ import annotations

from typing import Final

import falcon.asgi

from tracker.api.middleware.credentials import refuse_contradictions
from tracker.api.middleware.origin import AllowedHosts
from tracker.api.request_head import RequestHead

# Load balancers and probes ask by address, and these answers tell nothing.
_ANY_HOST_PATHS: Final = frozenset({"/health", "/healthz", "/readyz"})


class Guard:
    """Falcon middleware, and the same check for whoever has only a head."""

    def __init__(self, hosts: AllowedHosts) -> None:
        self._hosts = hosts

    async def process_request(self, req: falcon.asgi.Request, _resp: falcon.asgi.Response) -> None:
        """Raises BadRequest."""
        head = RequestHead.of(req.scope)
        if req.path in _ANY_HOST_PATHS:
            refuse_contradictions(head)
        else:
            self.check(head)

    async def process_request_ws(
        self, req: falcon.asgi.Request, _ws: falcon.asgi.WebSocket
    ) -> None:
        """Raises BadRequest."""
        self.check(RequestHead.of(req.scope))

    def check(self, head: RequestHead) -> None:
        """Raises BadRequest: the request contradicts itself, or its Host is not allowed."""
        refuse_contradictions(head)
        self._hosts.check(head)
