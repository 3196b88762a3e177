"""Requests a minute and key, told in the fields of draft-ietf-httpapi-ratelimit-headers."""

from __future__ import annotations

import math
from typing import Final

import falcon.asgi

from tracker.clock import Clock
from tracker.errors import RateLimited

WINDOW: Final = 60.0

# Which paths count against which limit; all others are free (the contract's "Errors").
_PREFIXES: Final = {"webhook": "/webhook/", "api": "/api/"}


class Limit:
    """So many requests in each window, which opens with a first request."""

    def __init__(self, name: str, quota: int, clock: Clock) -> None:
        """`quota` requests a minute."""
        self._name = name
        self._quota = quota
        self._clock = clock
        self._opened = -math.inf
        self._used = 0

    @property
    def policy(self) -> str:
        """The value of `RateLimit-Policy`."""
        return f'"{self._name}";q={self._quota};w={WINDOW:.0f}'

    def take(self) -> tuple[bool, str, int]:
        """Count a request: whether it may pass, the value of `RateLimit`, and the whole seconds
        until the window closes."""
        now = self._clock.monotonic()
        if now - self._opened >= WINDOW:
            self._opened = now
            self._used = 0
        passes = self._used < self._quota
        self._used += passes
        left = math.ceil(self._opened + WINDOW - now)
        return passes, f'"{self._name}";r={self._quota - self._used};t={left}', left


class RateLimits:
    """Falcon middleware; runs after the key was checked, so only its holder uses up its quota."""

    def __init__(self, webhook: int, api: int, clock: Clock) -> None:
        """Requests a minute to the webhooks and to the REST API; 0: no limit."""
        self._limits = {
            _PREFIXES[name]: Limit(name, quota, clock)
            for name, quota in (("webhook", webhook), ("api", api))
            if quota
        }

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises RateLimited."""
        if req.method != "OPTIONS":
            headers: dict[str, str] = {}
            try:
                self.take(req.path, headers)
            finally:
                resp.set_headers(headers)

    def take(self, path: str, headers: dict[str, str]) -> None:
        """Count a request to the path, and say in the answer's `headers` what is left. Raises
        RateLimited."""
        for prefix, limit in self._limits.items():
            if path.startswith(prefix):
                passes, state, wait = limit.take()
                headers["RateLimit-Policy"] = limit.policy
                headers["RateLimit"] = state
                if not passes:
                    raise RateLimited(
                        f"The limit of {limit.policy} is used up; go on in {wait} s.", wait
                    )


def is_limited(path: str) -> bool:
    """Whether requests to the path count against a limit, if one is set."""
    return path.startswith(tuple(_PREFIXES.values()))
