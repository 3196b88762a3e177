"""The plain webhook's way past Falcon: it is most of what arrives, and a third cheaper so.

Every rule is asked of the object that has it; what is not the plain case (another way to give the
key, an origin, an idempotency key, a long body, …) takes the usual way and meets the same objects.
Only used while webhooks have no rate limit: with one, speed is not what matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.api.auth import Authenticator
from tracker.api.body import ASGI, Receive
from tracker.api.errors import ErrorHandlers
from tracker.api.origin import AllowedHosts
from tracker.api.webhooks import Reports
from tracker.model import Kind

# Whoever sends one of these wants more than the plain case.
_NOT_PLAIN = frozenset({b"origin", b"idempotency-key", b"expect"})


class WebhookShortcut:
    """ASGI middleware around the application."""

    def __init__(
        self,
        app: ASGI,
        webhooks: Mapping[str, Kind],
        reports: Reports,
        authenticator: Authenticator,
        hosts: AllowedHosts,
        errors: ErrorHandlers,
    ) -> None:
        """`webhooks`: what a POST to each path reports."""
        self._app = app
        self._webhooks = webhooks
        self._reports = reports
        self._authenticator = authenticator
        self._hosts = hosts
        self._errors = errors

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        kind = self._webhooks.get(scope.get("path", ""))
        if kind is None or not self._is_plain(scope):
            await self._app(scope, receive, send)
            return
        event = await receive()
        if event["type"] != "http.request" or event["more_body"]:
            await self._app(scope, _Again(event, receive), send)
            return
        try:
            reply = await self._reports.accept(kind, event["body"])
        except Exception as error:  # noqa: BLE001 - the one place that answers failures logs them
            reply = self._errors.reply(error, f"POST {scope['path']}")
        await reply.send(scope, send)

    def _is_plain(self, scope: dict[str, Any]) -> bool:
        if scope.get("method") != "POST":
            return False
        headers = dict(scope["headers"])
        return (
            headers.get(b"content-type") == b"application/json"
            and _NOT_PLAIN.isdisjoint(headers)
            and self._hosts.allows(headers.get(b"host", b"").decode("latin-1"))
            and self._authenticator.accepts(headers.get(b"x-api-key", b""))
        )


class _Again:
    """Gives an event that was received once more, then what follows it."""

    def __init__(self, event: dict[str, Any], receive: Receive) -> None:
        self._event: dict[str, Any] | None = event
        self._receive = receive

    async def __call__(self) -> dict[str, Any]:
        if self._event is None:
            return await self._receive()
        event, self._event = self._event, None
        return event
