"""From the bodies of webhooks to the store, and from its results to the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import orjson

from tracker.api.errors import STATUSES, error_object
from tracker.api.reply import Reply
from tracker.api.request_head import RequestHead
from tracker.api.schemas import BatchBody, to_report, validate
from tracker.clock import iso
from tracker.domain.idempotency import Idempotency, idempotency
from tracker.domain.limits import MAX_IDEMPOTENCY_KEY
from tracker.domain.parsing import parse_object
from tracker.domain.ports import ReportStore
from tracker.domain.principal import Principal
from tracker.domain.records import Recorded
from tracker.domain.tasks import ENDED, Kind, Report, seconds
from tracker.errors import Forbidden, Issue, TrackerError, Unavailable, ValidationFailed


class _AnswerText(NamedTuple):
    """The API document's answer to one kind of report."""

    status: str
    message: str


ANSWERS: Final[Mapping[Kind, _AnswerText]] = {
    Kind.START: _AnswerText("started", "Task started successfully"),
    Kind.STATUS: _AnswerText("updated", "Task status updated successfully"),
    Kind.FINISH: _AnswerText("completed", "Task completed successfully"),
    Kind.ERROR: _AnswerText("error_recorded", "Error recorded successfully"),
}


class Pending(Protocol):
    """A webhook whose reports are being recorded."""

    @property
    def recorded(self) -> Sequence[asyncio.Future[Any]]:
        """All of these have to be done before `reply` is called."""

    @property
    def has_forbidden(self) -> bool:
        """Whether the sender may not report some of it."""

    def reply(self) -> Reply:
        """The answer. Raises the error of a report that was not recorded."""


class Reports:
    """Hands reports to the store."""

    def __init__(self, store: ReportStore) -> None:
        self._store = store

    def submit(self, kind: Kind, body: bytes, head: RequestHead, sender: Principal) -> Pending:
        """Start to record the report in a webhook's body. Raises InvalidJSON, ValidationFailed,
        Forbidden, Unavailable."""
        return self._submit(kind, parse_object(body), head.get(_KEY), body, sender)

    def submit_fields(self, kind: Kind, fields: dict[str, Any], sender: Principal) -> Pending:
        """Start to record a report of the webhook's fields. Raises ValidationFailed, Forbidden,
        Unavailable."""
        return self._submit(kind, fields, None, orjson.dumps(fields), sender)

    def submit_batch(self, body: bytes, head: RequestHead, sender: Principal) -> Pending:
        """Start to record each report of a batch by itself (docs/contract.md, "Webhooks"). Raises
        ValidationFailed, InvalidJSON: it is no batch."""
        if head.get(_KEY) is not None:
            message = "A batch has no Idempotency-Key: give each report an idempotency_key."
            raise ValidationFailed(message, [Issue("Idempotency-Key", message)])
        return _PendingBatch([self._submit_one(item, sender) for item in read_batch(body)])

    def _submit_one(self, item: Any, sender: Principal) -> _PendingReport | TrackerError:
        try:
            if not isinstance(item, dict):
                raise ValidationFailed(_NOT_A_REPORT, [Issue("report", "This has to be an object")])
            kind = _parse_kind(item.get("kind"))
            key = item.get("idempotency_key")
            if key is not None and not isinstance(key, str):
                raise _invalid_key("idempotency_key")
            fields = {name: value for name, value in item.items() if name not in _BATCH_FIELDS}
            body = orjson.dumps(fields, option=_SORTED)
            return self._submit(kind, fields, key, body, sender)
        except TrackerError as error:
            return error

    def _submit(
        self, kind: Kind, fields: dict[str, Any], key: str | None, body: bytes, sender: Principal
    ) -> _PendingReport:
        report = to_report(kind, fields)
        if not sender.scope.includes(report.project):
            raise Forbidden(
                f"The key {sender.name!r} is not for the project {report.project!r}; /api/info "
                "lists those that it is for."
            )
        idempotency_key = None
        if key is not None:
            idempotency_key = _idempotency_key(sender.key_id, key, report, body)
        return _PendingReport(report, (self._store.record(report, idempotency_key, len(body)),))


class _PendingReport(NamedTuple):
    report: Report
    recorded: tuple[asyncio.Future[Recorded]]

    @property
    def has_forbidden(self) -> bool:
        """See `Pending`."""
        return False

    def reply(self) -> Reply:
        """See `Pending`."""
        recorded = self.recorded[0].result()
        replayed = {"Idempotent-Replayed": "true"} if recorded.event is None else {}
        return Reply(self.status(recorded), orjson.dumps(self.content(recorded)), replayed)

    def status(self, recorded: Recorded) -> int:
        """The HTTP status."""
        return 201 if recorded.created and self.report.kind is Kind.START else 200

    def content(self, recorded: Recorded) -> dict[str, Any]:
        """The answer, as the API document has it."""
        kind = self.report.kind
        status, message = ANSWERS[kind]
        content: dict[str, Any] = {
            "status": status,
            "task_id": self.report.task_id,
            "message": message,
            "timestamp": iso(recorded.at),
            "event_id": recorded.event_id,
        }
        if kind is Kind.FINISH:
            content["duration_seconds"] = seconds(recorded.duration_ms)
        # Only a task that has ended has a duration, which is known of a replay too.
        is_late = kind is Kind.STATUS and recorded.duration_ms is not None
        if is_late and self.report.status not in ENDED:
            content["late"] = True
        return content


class _PendingBatch(NamedTuple):
    items: list[_PendingReport | TrackerError]

    @property
    def recorded(self) -> list[asyncio.Future[Recorded]]:
        """See `Pending`."""
        return [item.recorded[0] for item in self.items if isinstance(item, _PendingReport)]

    @property
    def has_forbidden(self) -> bool:
        """See `Pending`."""
        return any(isinstance(item, Forbidden) for item in self.items)

    def reply(self) -> Reply:
        """See `Pending`. Raises Unavailable: nothing was recorded, and all may be later."""
        failures = [_failure(item) for item in self.items]
        unavailable = [error for error in failures if isinstance(error, Unavailable)]
        if unavailable and None not in failures:
            raise unavailable[0]
        return Reply(200, orjson.dumps({"results": [_result(item) for item in self.items]}))


def _failure(item: _PendingReport | TrackerError) -> BaseException | None:
    return item if isinstance(item, TrackerError) else item.recorded[0].exception()


def _result(item: _PendingReport | TrackerError) -> dict[str, Any]:
    try:
        if isinstance(item, TrackerError):
            raise item
        recorded = item.recorded[0].result()
    except TrackerError as error:
        return {"status": STATUSES[error.code], "error": error_object(error)}
    replayed = {"replayed": True} if recorded.event is None else {}
    return {**item.content(recorded), "status": item.status(recorded), **replayed}


_KEY: Final = b"idempotency-key"

# Of an item of a batch, beside the report's own fields.
_BATCH_FIELDS: Final = ("kind", "idempotency_key")
_SORTED: Final = orjson.OPT_SORT_KEYS
_NOT_A_REPORT: Final = "A report of a batch is an object with the fields of its webhook."


def read_batch(body: bytes) -> list[Any]:
    """The items of a batch, unvalidated. Raises ValidationFailed, InvalidJSON."""
    return validate(BatchBody, parse_object(body)).reports


def _parse_kind(text: object) -> Kind:
    try:
        return Kind(str(text))
    except ValueError:
        issue = f"expected one of {', '.join(Kind)}"
        raise ValidationFailed("Invalid data format", [Issue("kind", issue)]) from None


def _idempotency_key(owner: int, key: str, report: Report, body: bytes) -> Idempotency:
    check_idempotency_key(key)
    return idempotency(owner, key, report, body)


def check_idempotency_key(key: str) -> None:
    """Raises ValidationFailed."""
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
        raise _invalid_key("Idempotency-Key")


def _invalid_key(field: str) -> ValidationFailed:
    message = f"An Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} characters."
    return ValidationFailed(message, [Issue(field, message)])
