"""The one place where failures become HTTP answers, all of the API document's shape."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import falcon
import falcon.asgi
import orjson

from tracker.clock import Clock, iso
from tracker.errors import Issue, RateLimited, TrackerError, Unavailable

logger = logging.getLogger(__name__)

STATUSES: Final[Mapping[str, int]] = {
    "BAD_REQUEST": 400,
    "INVALID_JSON": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}

# What Falcon finds wrong by itself; the rest is BAD_REQUEST.
_FALCON_CODES: Final[Mapping[int, str]] = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}
_FALCON_MESSAGES: Final[Mapping[int, str]] = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take this method; the Allow header lists those it takes.",
}


def error_body(code: str, message: str, now: int, issues: Sequence[Issue] = ()) -> bytes:
    """The API document's error object; `details` names the first problem and lists all."""
    first = issues[0] if issues else Issue("request", message)
    details = {
        "field": first.field,
        "issue": first.issue,
        "errors": [issue._asdict() for issue in issues or (first,)],
    }
    return orjson.dumps(
        {
            "error": {"code": code, "message": message, "details": details},
            "timestamp": iso(now),
        }
    )


class ErrorHandlers:
    """Answers for whatever a handler or a middleware raised."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def install(self, app: falcon.asgi.App[Any, Any]) -> None:
        """Have every failure of `app` answered here."""
        app.add_error_handler(Exception, self._unexpected)
        app.add_error_handler(falcon.HTTPError, self._from_falcon)
        app.add_error_handler(TrackerError, self._from_domain)

    async def _from_domain(
        self,
        _req: falcon.asgi.Request,
        resp: falcon.asgi.Response | None,
        error: TrackerError,
        _params: dict[str, Any],
        ws: falcon.asgi.WebSocket | None = None,
    ) -> None:
        if isinstance(error, RateLimited | Unavailable) and resp is not None:
            resp.set_header("Retry-After", str(error.retry_after))
        if error.code == "UNAUTHORIZED" and resp is not None:
            resp.set_header("WWW-Authenticate", "Bearer")
        await self._answer(resp, ws, error.code, error.message, error.issues)

    async def _from_falcon(
        self,
        _req: falcon.asgi.Request,
        resp: falcon.asgi.Response | None,
        error: falcon.HTTPError,
        _params: dict[str, Any],
        ws: falcon.asgi.WebSocket | None = None,
    ) -> None:
        code = _FALCON_CODES.get(error.status_code, "BAD_REQUEST")
        message = _FALCON_MESSAGES.get(error.status_code) or error.description or error.title
        if resp is not None and error.headers:
            resp.set_headers(error.headers)
        await self._answer(resp, ws, code, message or "The request cannot be understood.", ())

    async def _unexpected(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response | None,
        error: Exception,
        _params: dict[str, Any],
        ws: falcon.asgi.WebSocket | None = None,
    ) -> None:
        request_id = secrets.token_hex(8)
        logger.error(
            "X-Request-ID %s: %s %s failed", request_id, req.method, req.path, exc_info=error
        )
        if resp is not None:
            resp.set_header("X-Request-ID", request_id)
        await self._answer(
            resp,
            ws,
            "INTERNAL_ERROR",
            "The server failed; this is a fault of ours. Its log tells more under the answer's "
            "X-Request-ID.",
            (),
        )

    async def _answer(
        self,
        resp: falcon.asgi.Response | None,
        ws: falcon.asgi.WebSocket | None,
        code: str,
        message: str,
        issues: Sequence[Issue],
    ) -> None:
        if resp is not None:
            resp.status = STATUSES[code]
            resp.content_type = falcon.MEDIA_JSON
            resp.text = None
            resp.data = error_body(code, message, self._clock.now_ms(), issues)
        elif ws is not None and not ws.closed:
            # A handshake is refused with 403; an open socket is closed: 1011, internal error.
            await ws.close(1011 if code == "INTERNAL_ERROR" else 1008)
