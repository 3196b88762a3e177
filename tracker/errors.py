"""All errors of the server in one tree; the clients' are in `agent_task_tracker.errors`.

    TrackerError                 carries `code`, `message` and the fields at fault
    ├─ BadRequest                BAD_REQUEST
    │  └─ InvalidJSON            INVALID_JSON
    ├─ Unauthorized              UNAUTHORIZED
    ├─ Forbidden                 FORBIDDEN
    ├─ NotFound                  NOT_FOUND
    ├─ Conflict                  CONFLICT
    ├─ PayloadTooLarge           PAYLOAD_TOO_LARGE
    ├─ UnsupportedMediaType      UNSUPPORTED_MEDIA_TYPE
    │  └─ UnsupportedContentCoding  likewise, with the codings that are `accepted`
    ├─ ValidationFailed          VALIDATION_ERROR
    ├─ IdempotencyKeyReused      IDEMPOTENCY_KEY_REUSED
    ├─ RateLimited               RATE_LIMITED, with `retry_after`
    └─ Unavailable               SERVICE_UNAVAILABLE, with `retry_after`
    StartupError                 the server, or a command on its files, cannot do its work; carries
                                 the process's exit code
    ├─ ConfigError               78 (sysexits EX_CONFIG): the user has to change something
    ├─ InUse                     75 (sysexits EX_TEMPFAIL): try again later
    └─ NoRoom                    1: the disk is full

The codes are those of docs/contract.md, "Errors"; `tracker.api.errors` alone maps them to HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

# Scripts import them from here.
from agent_task_tracker.errors import (  # noqa: F401
    ClientError,
    NoTracker,
    Refused,
    TooLarge,
    Unreachable,
    Unverified,
)


class Issue(NamedTuple):
    """One thing wrong with one field of the input."""

    field: str
    issue: str


class TrackerError(Exception):
    """A failure with a code that clients may rely on.

    `message` says what happened and what to do next. It is shown to clients, so it never holds a
    key. `issues` lists the fields at fault, the first problem first.
    """

    code: ClassVar[str]

    def __init__(self, message: str, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.issues = tuple(issues)


class BadRequest(TrackerError):
    code = "BAD_REQUEST"


class InvalidJSON(BadRequest):
    code = "INVALID_JSON"


class Unauthorized(TrackerError):
    code = "UNAUTHORIZED"


class Forbidden(TrackerError):
    code = "FORBIDDEN"


class NotFound(TrackerError):
    code = "NOT_FOUND"


class Conflict(TrackerError):
    code = "CONFLICT"


class PayloadTooLarge(TrackerError):
    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(TrackerError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class UnsupportedContentCoding(UnsupportedMediaType):
    """The body is compressed in another way than those `accepted`."""

    def __init__(self, message: str, issues: Sequence[Issue], accepted: Sequence[str]) -> None:
        super().__init__(message, issues)
        self.accepted = tuple(accepted)


class ValidationFailed(TrackerError):
    code = "VALIDATION_ERROR"


class IdempotencyKeyReused(TrackerError):
    code = "IDEMPOTENCY_KEY_REUSED"


class RateLimited(TrackerError):
    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(TrackerError):
    """The database cannot serve this now; the same request may succeed in `retry_after` s."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StartupError(Exception):
    """The server, or a command on its files, cannot do its work. The text is one line for the
    user."""

    exit_code: ClassVar[int]


class ConfigError(StartupError):
    exit_code = 78


class InUse(StartupError):
    exit_code = 75


class NoRoom(StartupError):
    exit_code = 1
