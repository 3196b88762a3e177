"""Every failure of a client, in one tree.

ClientError                  carries the process's exit code
├─ Refused                   1: the server answered with an error; carries status and code
├─ NoTracker                 1: what answers is something else
├─ Unverified                1: the server's certificate cannot be verified
├─ TooLarge                  1: the answer is larger than a client takes
└─ Unreachable               69 (sysexits EX_UNAVAILABLE): no server answered
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_task_tracker.light_typing import Any, ClassVar


class ClientError(Exception):
    """A client cannot do what it was asked. The text is one line for the user, and says what to do
    next."""

    exit_code: ClassVar[int] = 1


class Refused(ClientError):
    """The server answered with an error: its HTTP status, the error's code, message and details.
    The text names the field at fault, if the details do."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        details = details if isinstance(details, Mapping) else {}
        field, issue = details.get("field"), details.get("issue")
        is_named = isinstance(field, str) and isinstance(issue, str) and issue not in message
        at_fault = f": {field}: {issue}" if is_named else ""
        super().__init__(f"{message} ({status} {code}){at_fault}")
        self.status = status
        self.code = code
        self.details = details


class NoTracker(ClientError):
    def __init__(self, url: str) -> None:
        super().__init__(f"{url}: what answers there is no tracker; check the address")


class Unverified(ClientError):
    pass


class TooLarge(ClientError):
    def __init__(self, url: str | None = None) -> None:
        answer = "the answer is larger than any that a tracker should give"
        super().__init__(answer if url is None else f"{url}: {answer}; check the address")


class Unreachable(ClientError):
    exit_code = 69
