"""The plain webhook's way past Falcon and ASGI: it is most of what arrives, and this halves the
time that Python takes for it.

Every rule is asked of the object that has it; what is not the plain case (another way to give the
key, an origin, an idempotency key, a long body, …) takes the usual way and meets the same objects.
Only used while webhooks have no rate limit: with one, speed is not what matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tracker.api.auth import Authenticator
from tracker.api.errors import ErrorHandlers
from tracker.api.origin import AllowedHosts
from tracker.api.reply import Reply
from tracker.api.webhooks import Reports
from tracker.model import Kind
from tracker.store import Recorded

# Whoever sends one of these wants more than the plain case.
_NOT_PLAIN: Final = frozenset({b"origin", b"idempotency-key", b"expect", b"upgrade"})

# In bytes. From about here on uvicorn stops reading until the application asks for more.
_LONG: Final = 60_000


class WebhookShortcut:
    """What a connection asks about each POST; see `tracker.protocols`."""

    def __init__(
        self,
        webhooks: Mapping[str, Kind],
        reports: Reports,
        authenticator: Authenticator,
        hosts: AllowedHosts,
        errors: ErrorHandlers,
    ) -> None:
        """`webhooks`: what a POST to each path reports."""
        self._webhooks = {path.encode(): kind for path, kind in webhooks.items()}
        self._reports = reports
        self._authenticator = authenticator
        self._hosts = hosts
        self._errors = errors

    def find(self, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Kind | None:
        """What a POST with these headers reports; None if it has to take the usual way."""
        kind = self._webhooks.get(target)
        if kind is None:
            return None
        given = dict(headers)
        # A header that is there twice is not plain, and may be a contradiction.
        return kind if len(given) == len(headers) and self._is_plain(given) else None

    def take(self, kind: Kind, body: bytes, answer: Callable[[Reply], None]) -> None:
        """Record what is in `body`; `answer` is called once, now or later."""
        try:
            submitted = self._reports.submit(kind, body)
        except Exception as error:  # noqa: BLE001 - the one place that answers failures logs them
            answer(self._errors.reply(error, f"POST /webhook/{kind}"))
            return

        def finish(_recorded: asyncio.Future[Recorded]) -> None:
            try:
                reply = submitted.reply()
            except Exception as error:  # noqa: BLE001 - as above
                reply = self._errors.reply(error, f"POST /webhook/{kind}")
            answer(reply)

        submitted.recorded.add_done_callback(finish)

    def _is_plain(self, headers: Mapping[bytes, bytes]) -> bool:
        return (
            headers.get(b"content-type") == b"application/json"
            and int(headers.get(b"content-length", _LONG)) < _LONG
            and _NOT_PLAIN.isdisjoint(headers)
            and self._hosts.allows(headers.get(b"host", b"").decode("latin-1"))
            and self._authenticator.accepts(headers.get(b"x-api-key", b""))
        )
