"""`POST /webhook/{start,status,finish,error}`: the agents' side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import falcon.asgi
import orjson

from tracker.api.body import check_content_type, read_body
from tracker.api.reply import Reply
from tracker.api.schemas import to_report
from tracker.clock import iso
from tracker.errors import Issue, ValidationFailed
from tracker.model import Kind, Report, seconds
from tracker.parsing import parse_object
from tracker.store import Idempotency, Recorded, Store, idempotency

MAX_KEY_LENGTH: Final = 255


class _Words(NamedTuple):
    """The API document's answer to one kind of report."""

    status: str
    message: str


ANSWERS: Final[Mapping[Kind, _Words]] = {
    Kind.START: _Words("started", "Task started successfully"),
    Kind.STATUS: _Words("updated", "Task status updated successfully"),
    Kind.FINISH: _Words("completed", "Task completed successfully"),
    Kind.ERROR: _Words("error_recorded", "Error recorded successfully"),
}


class Reports:
    """Takes a webhook's body and answers once the report is in the log, durably."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def submit(self, kind: Kind, body: bytes, key: str | None = None) -> Submitted:
        """Have the report recorded; `key` is its `Idempotency-Key`. Raises what may be wrong with
        it, and Unavailable."""
        report = to_report(kind, parse_object(body))
        idempotency_key = None if key is None else _idempotency_key(key, kind, body)
        return Submitted(report, self._store.record(report, idempotency_key, len(body)))


class Submitted(NamedTuple):
    """A report on its way into the log."""

    report: Report
    recorded: asyncio.Future[Recorded]

    def reply(self) -> Reply:
        """The answer, once it is recorded. Raises what went wrong."""
        recorded = self.recorded.result()
        kind = self.report.kind
        return Reply(
            201 if recorded.created and kind is Kind.START else 200,
            _answer(kind, self.report.task_id, recorded),
            {"Idempotent-Replayed": "true"} if recorded.event is None else {},
        )


class Webhook:
    """One of the four, as a resource."""

    def __init__(self, kind: Kind, reports: Reports) -> None:
        self._kind = kind
        self._reports = reports

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Record a report."""
        check_content_type(req)
        body = await read_body(req)
        submitted = self._reports.submit(self._kind, body, req.get_header("Idempotency-Key"))
        await submitted.recorded
        submitted.reply().put_into(resp)


def _answer(kind: Kind, task_id: str, recorded: Recorded) -> bytes:
    words = ANSWERS[kind]
    answer: dict[str, Any] = {
        "status": words.status,
        "task_id": task_id,
        "message": words.message,
        "timestamp": iso(recorded.at),
        "event_id": recorded.event_id,
    }
    if kind is Kind.FINISH:
        answer["duration_seconds"] = seconds(recorded.duration_ms)
    return orjson.dumps(answer)


def _idempotency_key(key: str, kind: Kind, body: bytes) -> Idempotency:
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        message = f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters."
        raise ValidationFailed(message, [Issue("Idempotency-Key", message)])
    return idempotency(key, kind, body)
