"""The one place where failures become HTTP answers, all of the API document's shape."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import falcon
import falcon.asgi
import orjson

from tracker.api import otlp_answers
from tracker.api.reply import Reply
from tracker.clock import Clock, iso
from tracker.domain.limits import CloseCode
from tracker.errors import (
    Issue,
    RateLimited,
    TrackerError,
    Unauthorized,
    Unavailable,
    UnsupportedContentCoding,
)

logger = logging.getLogger(__name__)

STATUSES: Final[Mapping[str, int]] = {
    "BAD_REQUEST": 400,
    "INVALID_JSON": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UPGRADE_REQUIRED": 426,
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
    426: "UPGRADE_REQUIRED",
}
_FALCON_MESSAGES: Final[Mapping[int, str]] = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take this method; the Allow header lists those it takes.",
}

INTERNAL_ERROR: Final = (
    "The server failed; this is a fault of ours. Its log tells more under the answer's "
    "X-Request-ID."
)
_UNCLEAR: Final = "The request cannot be understood."


# Closing a WebSocket before it is accepted, with this plus an HTTP status as the code (Falcon's
# convention) and a body as the reason, answers the handshake with that status and body.
REFUSED_BASE: Final = 3000


def code_of(status: int) -> str:
    """The error code of an HTTP status."""
    return next((code for code, of in STATUSES.items() if of == status), "BAD_REQUEST")


def error_body(code: str, message: str, now: int, issues: Sequence[Issue] = ()) -> bytes:
    """The API document's answer to a failure."""
    return orjson.dumps({"error": _error_object(code, message, issues), "timestamp": iso(now)})


def error_object(error: TrackerError) -> dict[str, Any]:
    """The API document's error object, for one report of a batch."""
    return _error_object(error.code, error.message, error.issues)


def _error_object(code: str, message: str, issues: Sequence[Issue]) -> dict[str, Any]:
    """`details` names the first problem and lists all."""
    first = issues[0] if issues else Issue("request", message)
    details = {
        "field": first.field,
        "issue": first.issue,
        "errors": [issue._asdict() for issue in issues or (first,)],
    }
    return {"code": code, "message": message, "details": details}


class ErrorHandlers:
    """Answers for whatever a handler or a middleware raised."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def install(self, app: falcon.asgi.App[Any, Any]) -> None:
        """Handle every error of `app`."""
        app.add_error_handler(Exception, self._handle)
        app.add_error_handler(falcon.HTTPError, self._handle)

    def reply(self, error: Exception, request: str) -> Reply:
        """The answer to a failure; `request` tells the log what was asked, without a query."""
        headers: dict[str, str] = {}
        issues: Sequence[Issue] = ()
        match error:
            case TrackerError():
                code, message, issues = error.code, error.message, error.issues
                if isinstance(error, RateLimited | Unavailable):
                    headers["Retry-After"] = str(error.retry_after)
                if isinstance(error, Unauthorized):
                    headers["WWW-Authenticate"] = "Bearer"
                if isinstance(error, UnsupportedContentCoding):
                    headers["Accept-Encoding"] = ", ".join(error.accepted)
            case falcon.HTTPError():
                code = _FALCON_CODES.get(error.status_code, "BAD_REQUEST")
                message = _FALCON_MESSAGES.get(error.status_code) or error.description or ""
                headers |= dict(error.headers or {})
            case _:
                code, message = "INTERNAL_ERROR", INTERNAL_ERROR
                request_id = headers["X-Request-ID"] = secrets.token_hex(8)
                logger.error("X-Request-ID %s: %s failed", request_id, request, exc_info=error)
        body = error_body(code, message or _UNCLEAR, self._clock.now_ms(), issues)
        return Reply(STATUSES[code], body, headers)

    async def _handle(
        self,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response | None,
        error: Exception,
        _params: dict[str, Any],
        ws: falcon.asgi.WebSocket | None = None,
    ) -> None:
        reply = self.reply(error, f"{req.method} {req.path}")
        if req.path.startswith(otlp_answers.PREFIX):
            reply = otlp_answers.as_status(reply, req.content_type)
        if resp is not None:
            resp.text = None
            reply.write_to(resp)
        elif ws is not None and not ws.closed:
            if ws.unaccepted:  # answered in HTTP; see tracker.server.websocket
                await ws.close(REFUSED_BASE + reply.status, reply.body.decode())
            elif reply.status == STATUSES["INTERNAL_ERROR"]:
                await ws.close(CloseCode.INTERNAL_ERROR)
            else:
                await ws.close(CloseCode.POLICY_VIOLATION)
