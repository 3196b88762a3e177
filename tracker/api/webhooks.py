"""`POST /webhook/{start,status,finish,error}`: the agents' side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import falcon.asgi
import orjson

from tracker.api.body import read_json
from tracker.api.schemas import to_report
from tracker.clock import iso
from tracker.errors import Issue, ValidationFailed
from tracker.model import Kind, seconds
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


class Webhook:
    """One of the four."""

    def __init__(self, kind: Kind, store: Store) -> None:
        self._kind = kind
        self._store = store

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer once the report is in the log, durably."""
        content, body = await read_json(req)
        report = to_report(self._kind, content)
        key = _idempotency_key(req, self._kind, body)
        recorded = await self._store.record(report, key, len(body))
        if recorded.created and self._kind is Kind.START:
            resp.status = 201
        if recorded.event is None:
            resp.set_header("Idempotent-Replayed", "true")
        resp.data = orjson.dumps(self._answer(report.task_id, recorded))

    def _answer(self, task_id: str, recorded: Recorded) -> dict[str, Any]:
        words = ANSWERS[self._kind]
        answer: dict[str, Any] = {
            "status": words.status,
            "task_id": task_id,
            "message": words.message,
            "timestamp": iso(recorded.at),
            "event_id": recorded.event_id,
        }
        if self._kind is Kind.FINISH:
            answer["duration_seconds"] = seconds(recorded.duration_ms)
        return answer


def _idempotency_key(req: falcon.asgi.Request, kind: Kind, body: bytes) -> Idempotency | None:
    key = req.get_header("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        message = f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters."
        raise ValidationFailed(message, [Issue("Idempotency-Key", message)])
    return idempotency(key, kind, body)
