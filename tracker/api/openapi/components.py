"""What the operations share: failures, parameters, headers, ways to send the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tracker.agents.receiving import READERS
from tracker.api.errors import INTERNAL_ERROR, STATUSES
from tracker.api.middleware.auth import FOREIGN_PAGE
from tracker.api.proof import NO_SUCH_KEY
from tracker.domain.limits import (
    MAX_BODY_BYTES,
    MAX_IDEMPOTENCY_KEY,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_TELEMETRY_BYTES,
)


class Failure(NamedTuple):
    """One kind of failure: its codes with their meanings; an example of the first of them."""

    codes: Mapping[str, str]
    message: str
    field: str
    issue: str
    headers: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUSES[next(iter(self.codes))]

    @property
    def description(self) -> str:
        """What each code means."""
        lines = [f"`{code}`: {meaning}" for code, meaning in self.codes.items()]
        return lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)

    @property
    def example(self) -> dict[str, Any]:
        """An answer of this kind."""
        issue = {"field": self.field, "issue": self.issue}
        return {
            "error": {
                "code": next(iter(self.codes)),
                "message": self.message,
                "details": issue | {"errors": [issue]},
            },
            "timestamp": "2024-01-15T12:00:00.000Z",
        }


_BAD_REQUEST: Final = {
    "BAD_REQUEST": "the request cannot be understood, names its Host or its key twice, or its Host "
    "is not this server's."
}
_INVALID: Final = {"VALIDATION_ERROR": "a value is missing or wrong; `details.errors` lists all."}

FAILURES: Final[Mapping[str, Failure]] = {
    "BadRequest": Failure(
        _BAD_REQUEST,
        "The Host header names a host that is not this server's; allow it with --allowed-host if "
        "it is.",
        "Host",
        "This is not an allowed host",
    ),
    "BadBody": Failure(
        {
            "INVALID_JSON": "the body is not JSON, or a name in it is given twice.",
            "BAD_REQUEST": f"{_BAD_REQUEST['BAD_REQUEST'].removesuffix('.')}; or the body is not "
            "compressed as `Content-Encoding` says.",
        },
        "The body is not JSON; see where in details.",
        "body",
        "unexpected character: line 1 column 1 (char 0)",
    ),
    "Unauthorized": Failure(
        {"UNAUTHORIZED": "the API key is missing or wrong."},
        "An API key is needed; send it as the header X-API-Key or Authorization: Bearer, or as "
        "?api_key=.",
        "X-API-Key",
        "This has to be given",
        ("WWW-Authenticate",),
    ),
    "Forbidden": Failure(
        {
            "FORBIDDEN": "the key's role or projects do not allow it, or a page of another site "
            "used the browser's session of the dashboard."
        },
        FOREIGN_PAGE,
        "request",
        FOREIGN_PAGE,
    ),
    "NotFound": Failure(
        {"NOT_FOUND": "there is no such project or task."},
        "There is no project 'my-project'; a project appears with its first report.",
        "request",
        "There is no project 'my-project'; a project appears with its first report.",
    ),
    "Conflict": Failure(
        {
            "CONFLICT": "there is a key of this name already, there are too many, or it has "
            "expired and cannot be rotated any more."
        },
        "There is a key 'ci' already: rotate or revoke it, or take another name.",
        "name",
        "There is a key of this name",
    ),
    "NotProven": Failure(
        {
            "NOT_FOUND": "the server has no such key, or one that was chosen; or the client is on "
            "another machine."
        },
        NO_SUCH_KEY,
        "request",
        NO_SUCH_KEY,
    ),
    "PayloadTooLarge": Failure(
        {"PAYLOAD_TOO_LARGE": f"the body is over {MAX_BODY_BYTES} bytes, or is once expanded."},
        f"The body is over {MAX_BODY_BYTES} bytes; send less.",
        "body",
        "Too large",
    ),
    "TelemetryTooLarge": Failure(
        {
            "PAYLOAD_TOO_LARGE": f"the body is over {MAX_TELEMETRY_BYTES} bytes, or is once "
            "expanded."
        },
        f"The body is over {MAX_TELEMETRY_BYTES} bytes; send less.",
        "body",
        "Too large",
    ),
    "UnsupportedMediaType": Failure(
        {
            "UNSUPPORTED_MEDIA_TYPE": "the body is of another type than JSON; or it is compressed "
            "in another way than `Accept-Encoding` then lists."
        },
        "Send JSON in UTF-8, with the header Content-Type: application/json.",
        "Content-Type",
        "This has to be application/json",
        ("Accept-Encoding",),
    ),
    "Invalid": Failure(
        _INVALID,
        "Invalid data format",
        "limit",
        f"Input should be less than or equal to {MAX_PAGE}",
    ),
    "InvalidBody": Failure(
        {
            **_INVALID,
            "IDEMPOTENCY_KEY_REUSED": "the Idempotency-Key belongs to another request.",
        },
        "Invalid data format",
        "task_id",
        "This field is required",
    ),
    "RateLimited": Failure(
        {
            "RATE_LIMITED": "too many requests; go on after `Retry-After` seconds. Also: too many "
            "wrong keys from this address; then without the fields of a limit."
        },
        'The limit of "webhook";q=100;w=60 is used up; go on in 42 s.',
        "request",
        'The limit of "webhook";q=100;w=60 is used up; go on in 42 s.',
        ("Retry-After", "RateLimit-Policy", "RateLimit"),
    ),
    "WrongKeys": Failure(
        {"RATE_LIMITED": "too many wrong keys came from this address."},
        "Too many wrong keys came from this address. The right one is taken at once; the "
        "next wrong one is told apart in 42 s.",
        "request",
        "Too many wrong keys came from this address. The right one is taken at once; the "
        "next wrong one is told apart in 42 s.",
        ("Retry-After",),
    ),
    "InternalError": Failure(
        {"INTERNAL_ERROR": "the server failed; its log tells more under this `X-Request-ID`."},
        INTERNAL_ERROR,
        "request",
        INTERNAL_ERROR,
        ("X-Request-ID",),
    ),
    "Unavailable": Failure(
        {
            "SERVICE_UNAVAILABLE": "the database is busy, full or cannot be reached, and nothing "
            "was recorded; send the same request again after `Retry-After` seconds."
        },
        "Too many reports are waiting to be written; send this one again.",
        "request",
        "Too many reports are waiting to be written; send this one again.",
        ("Retry-After",),
    ),
}

_NAME: Final = {"type": "string", "minLength": 1}
_ENCODED: Final = (
    "Percent-encode it as one segment, `/` included: `org%2Frepo` is `org/repo`. "
    "(What is entered on this page, the page encodes.)"
)


def _segment(name: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _ENCODED,
        "schema": _NAME,
        "example": example,
    }


def _request_header(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    # No example: Swagger UI would send it.
    return {"name": name, "in": "header", "description": description, "schema": schema}


PARAMETERS: Final = {
    parameter["name"]: parameter
    for parameter in (
        _segment("project_name", "my-project"),
        _segment("task_id", "task-123"),
        _segment("name", "ci"),
        _segment("event_id", "1"),
        {
            **_segment("agent", "claude-code"),
            "description": "The agent's name.",
            "schema": {"type": "string", "enum": list(READERS)},
        },
        _request_header(
            "Tracker-Context",
            {"type": "string"},
            "What the hook adds, as JSON in ASCII, all of it optional: `at` (when it happened), "
            "`host`, `worktree`, `branch`, `remote`, and the agent's process as `pid`, `started`, "
            "`boot_id` and `pid_namespace`.",
        ),
        _request_header(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY},
            "Makes a retry safe: for 24 hours the same key with the same body gets the first "
            "answer again and records nothing. A UUID serves well.",
        ),
        _request_header(
            "If-None-Match",
            {"type": "string"},
            "The ETag of an earlier answer: 304 if it would be the same.",
        ),
        _request_header(
            "Last-Event-ID",
            {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER},
            "As `since`, and before it: what a browser's EventSource sends when it reconnects.",
        ),
    )
}


def _header(description: str, example: Any, type_: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": type_}, "example": example}


HEADERS: Final = {
    "Accept-Encoding": _header("The codings of bodies that are taken.", "gzip"),
    "ETag": _header("Names this state of the answer.", 'W/"0fe8edeb6e3acbde36c3ae67"'),
    "Idempotent-Replayed": _header(
        "`true` if this is the answer to an earlier request with the same Idempotency-Key.", "true"
    ),
    "RateLimit-Policy": _header(
        "The limit: `q` requests in `w` seconds; on every answer that counts against it.",
        '"webhook";q=100;w=60',
    ),
    "RateLimit": _header("What is left: `r` requests, for `t` seconds.", '"webhook";r=99;t=60'),
    "Retry-After": _header("Whole seconds to wait.", 60, "integer"),
    "Set-Cookie": _header(
        "The session, or its end.",
        "tracker_session_21d8f17c=…; HttpOnly; Max-Age=43200; Path=/; SameSite=Strict",
    ),
    "WWW-Authenticate": _header("How to send the key.", "Bearer"),
    "X-Request-ID": _header("Names the failure in the server's log.", "5f3c9a1be07d4c26"),
}

# Swagger UI lists them in this order, and puts the cursor into the last.
SECURITY_SCHEMES: Final = {
    "api_key": {
        "type": "apiKey",
        "in": "query",
        "name": "api_key",
        "description": "For clients that cannot set headers; addresses end up in logs.",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key."},
    "X-API-Key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The recommended way.",
    },
}
