"""Takes reports to a server, many in one request, and says what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.client import HTTPException
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from agent_task_tracker import bounded
from agent_task_tracker.address import Address
from agent_task_tracker.credentials import Credentials
from agent_task_tracker.errors import ClientError
from agent_task_tracker.hook_request import HookRequest, is_recorded
from agent_task_tracker.link import TIMEOUT, Answer, Link
from agent_task_tracker.report import HOOK, Report

_PATH: Final = "/webhook/batch"

# A report for which a server answers so can never be taken; anything else may pass.
_NEVER: Final = frozenset({400, 413, 422})

# Of a whole request. 400 and 422 may also be a proxy's, or for a `Host` that is not allowed.
_OF_A_REPORT: Final = frozenset(
    {"INVALID_JSON", "VALIDATION_ERROR", "IDEMPOTENCY_KEY_REUSED", "PAYLOAD_TOO_LARGE"}
)

# Of a hook's event it says nothing of others: the key may not report to that project, or the server
# stumbles over what is in it.
_OF_ITSELF: Final = frozenset({403, 500})

# Once so few requests are left in a minute, the rest of them are spread over what is left of it.
_SPARE: Final = 50

_LONGEST_WAIT: Final = 3600.0


class Kept(Exception):
    """The server took nothing now: why, for people, and after how many seconds it may (0: it did
    not say)."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Verdict(NamedTuple):
    """What became of a report. `reason`: why it was not taken; None: it was."""

    reason: str | None = None
    is_final: bool = True
    """Whether it was taken, or can never be."""
    is_soon: bool = False
    """Whether it may be taken in a moment: the database was busy."""


_TAKEN: Final = Verdict()


class Courier:
    """Takes reports to one server. Not for several threads at once."""

    def __init__(
        self, address: Address, credentials: Credentials, timeout: float = TIMEOUT
    ) -> None:
        """`timeout`: seconds that the server may be silent."""
        self.url = address.url
        self._link = Link(address, credentials, timeout)
        self.pause = 0.0
        """Seconds to wait before the next request, so that the server's limit lasts."""

    def send(self, reports: Sequence[Report]) -> list[Verdict]:
        """Send them in one request, or in several if that is refused because of one of them. What
        an agent's hook told is sent alone. Returns a verdict on each. Raises Kept."""
        if reports[0].kind == HOOK:
            return [self._send_hook(reports[0])]
        body = b'{"reports":[' + b",".join(report.content for report in reports) + b"]}"
        answer = self._post(_PATH, body)
        if answer.status == 200:
            return self._verdicts(answer, len(reports))
        reason = _reason(answer)
        if not _is_of_a_report(answer):
            raise Kept(f"{self.url}: {reason}", _retry_after(answer))
        if len(reports) == 1:
            return [Verdict(reason)]
        middle = len(reports) // 2
        first = self.send(reports[:middle])
        try:
            return [*first, *self.send(reports[middle:])]
        except Kept as kept:
            later = Verdict(str(kept), is_final=False)
            return [*first, *[later] * (len(reports) - middle)]

    def close(self) -> None:
        """Close the connection; the next report opens another."""
        self._link.close()

    def _send_hook(self, report: Report) -> Verdict:
        try:
            request = HookRequest.of(report.content)
        except ValueError as error:
            return Verdict(f"this is no event of an agent: {error}")
        answer = self._post(request.path, request.body, request.headers)
        if answer.status == 200:
            if not is_recorded(answer.body):
                raise Kept(f"{self.url}: what answers there is no tracker; check the address")
            return _TAKEN
        if answer.status == 404:
            words = f"404: the server knows no agent {request.agent}, or is older than this program"
            return Verdict(f"{self.url}: {words}; upgrade it", is_final=False)
        reason = f"{self.url}: {_told(answer.status, _json(answer))}"
        if _is_of_a_report(answer):
            return Verdict(reason)
        if answer.status in _OF_ITSELF:
            return Verdict(reason, is_final=False)
        raise Kept(reason, _retry_after(answer))

    def _post(
        self, path: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Answer:
        try:
            answer = self._link.post(path, body, headers)
        except ClientError as error:
            raise Kept(str(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise Kept(f"{self.url}: no answer ({_named(error)})") from None
        self.pause = _pause(answer.headers.get("RateLimit"))
        return answer

    def _verdicts(self, answer: Answer, count: int) -> list[Verdict]:
        results = _json(answer).get("results")
        if not isinstance(results, list) or len(results) != count:
            raise Kept(f"{self.url}: what answers there is no tracker; check the address")
        return [_verdict(result) for result in results]


def _verdict(result: Any) -> Verdict:
    status = result.get("status") if isinstance(result, dict) else None
    if isinstance(status, int) and 200 <= status < 300:
        return _TAKEN
    is_soon = isinstance(status, int) and (status >= 500 or status == 429)
    return Verdict(_told(status, result), is_final=status in _NEVER, is_soon=is_soon)


def _is_of_a_report(answer: Answer) -> bool:
    if answer.status == 413:
        return True
    error = _json(answer).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return answer.status in _NEVER and code in _OF_A_REPORT


def _reason(answer: Answer) -> str:
    if answer.status == 404:
        return "404: there is no /webhook/batch, so the server is older than this program, or none"
    return _told(answer.status, _json(answer))


def _told(status: object, content: Any) -> str:
    """A status with the server's words, if there are any."""
    error = content.get("error") if isinstance(content, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return f"{status}: {str(message)[:300]}" if message else f"{status}"


def _json(answer: Answer) -> dict[str, Any]:
    try:
        content = bounded.loads(answer.body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT) if text.isdecimal() else 0.0


def _pause(limit: str | None) -> float:
    """Of the header `RateLimit`, as in `"webhook";r=99;t=60`: so many requests are left for so many
    seconds."""
    try:
        _, left, seconds = (limit or "").split(";")
        requests, wait = int(left.strip()[2:]), int(seconds.strip()[2:])
    except ValueError:
        return 0.0
    return 0.0 if requests > _SPARE else min(max(wait, 0), _LONGEST_WAIT) / max(requests, 1)


def _named(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
