"""`/api/info`: what the dashboard has to know about the server it talks to."""

from __future__ import annotations

from typing import Any, Final

import falcon.asgi
import orjson

import tracker
from tracker.api.middleware.auth import Rights, principal_of
from tracker.auth.keys import Keys, exposure
from tracker.clock import Clock, iso
from tracker.config.settings import Settings
from tracker.domain import key_answers
from tracker.domain.limits import MAX_BODY_BYTES, MAX_STACK_TRACE_BYTES
from tracker.domain.ports import Engine
from tracker.domain.principal import Right

_FILES: Final = ("database", "api_key_file")


class Info:
    """`/api/info`."""

    rights = Rights(get=Right.SIGNED_IN)

    def __init__(self, settings: Settings, keys: Keys, store: Engine, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._fixed: dict[str, Any] = {
            "version": tracker.__version__,
            "database": store.name,
            "api_key_file": None if keys.api_file is None else str(keys.api_file),
            "exposed": bool(exposure(settings)),
            "durability": settings.durability,
            "limits": {
                "webhooks_per_minute": settings.rate_limit_webhook,
                "api_requests_per_minute": settings.rate_limit_api,
                "agents_payloads_per_minute": settings.rate_limit_agents,
                "websockets_per_project": settings.ws_per_project,
                "body_bytes": MAX_BODY_BYTES,
                "stack_trace_bytes": MAX_STACK_TRACE_BYTES,
                "retain_days": settings.retain_days,
                "retain_bytes": settings.retain_bytes,
                "retain_audit_days": settings.retain_audit_days,
                "keep_messages": settings.keep_messages,
            },
        }

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The server's settings in force (a limit of 0: none), its time and its newest event, and
        who asks.

        `api_key_file` is where the master key is kept, null if it was given in the settings. This
        and `database`, which name files, are null for whoever is not an administrator.
        """
        principal = principal_of(req)
        hidden = {} if Right.ADMIN in principal.rights else dict.fromkeys(_FILES)
        resp.set_header("Cache-Control", "no-store")
        resp.data = orjson.dumps(
            {
                **self._fixed,
                **hidden,
                "access": key_answers.access(principal),
                "last_id": self._store.last_id,
                "timestamp": iso(self._clock.now_ms()),
            }
        )
