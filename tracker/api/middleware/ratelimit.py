"""Limits of requests a minute, with the headers of draft-ietf-httpapi-ratelimit-headers."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import falcon.asgi

from tracker.clock import Clock
from tracker.domain.principal import Principal
from tracker.errors import RateLimited

WINDOW: Final = 60.0

# Which paths count against which limit; all others are free (docs/contract.md, "Errors").
_PREFIXES: Final = {
    **{"/webhook/": "webhook", "/api/": "api"},
    **{"/hooks/": "agents", "/v1/": "agents", "/mcp": "agents"},
}


class Limit:
    """A fixed-window limit; a window opens with its first request."""

    def __init__(self, name: str, quota: int, clock: Clock) -> None:
        """`quota` requests a minute."""
        self.policy = f'"{name}";q={quota};w={WINDOW:.0f}'
        """The value of `RateLimit-Policy`."""
        self._name = name
        self._quota = quota
        self._clock = clock
        self._window_end = -math.inf
        self._used = 0

    def take(self, headers: dict[str, str]) -> None:
        """Count a request, and set what is left in the answer's `headers`. Raises RateLimited."""
        now = self._clock.monotonic()
        if now >= self._window_end:
            self._window_end = now + WINDOW
            self._used = 0
        allowed = self._used < self._quota
        self._used += allowed
        wait = math.ceil(self._window_end - now)
        headers["RateLimit-Policy"] = self.policy
        headers["RateLimit"] = f'"{self._name}";r={self._quota - self._used};t={wait}'
        if not allowed:
            raise RateLimited(f"The limit of {self.policy} is used up; go on in {wait} s.", wait)


class KeyLimits:
    """A limit for each key: nobody's requests are counted against another's."""

    def __init__(self, name: str, quota: int, clock: Clock) -> None:
        """See `Limit`."""
        self._make = partial(Limit, name, quota, clock)
        self._limits: dict[int, Limit] = {}

    def take(self, principal: Principal, headers: dict[str, str]) -> None:
        """See `Limit.take`."""
        limit = self._limits.get(principal.key_id)
        if limit is None:
            limit = self._limits[principal.key_id] = self._make()
        limit.take(headers)


class RateLimits:
    """Falcon middleware; runs after the key was checked, so only its holder uses up its quota."""

    def __init__(self, webhook: int, api: int, agents: int, clock: Clock) -> None:
        """Requests a minute and key to the webhooks, to the REST API and from agents' hooks,
        exporters and MCP; 0: no limit."""
        quotas = {"webhook": webhook, "api": api, "agents": agents}
        limits = {name: KeyLimits(name, quota, clock) for name, quota in quotas.items() if quota}
        self._limits = {
            prefix: limits[name] for prefix, name in _PREFIXES.items() if name in limits
        }

    async def process_resource(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        _resource: object,
        _params: object,
    ) -> None:
        """Raises RateLimited."""
        self.check(req, resp)

    def check(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises RateLimited."""
        limit = self.find(req.path)
        if limit is not None and req.method != "OPTIONS":
            headers: dict[str, str] = {}
            try:
                limit.take(req.context.principal, headers)
            finally:
                resp.set_headers(headers)

    def find(self, path: str) -> KeyLimits | None:
        """The limit against which requests to the path count."""
        found = (limit for prefix, limit in self._limits.items() if path.startswith(prefix))
        return next(found, None)


def is_limited(path: str) -> bool:
    """Whether requests to the path count against a limit, if one is set."""
    return path.startswith(tuple(_PREFIXES))
