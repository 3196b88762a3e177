"""`POST /v1/{logs,metrics,traces}`: telemetry, by OTLP over HTTP (opentelemetry-proto, 1.5;
docs/contract.md, "Telemetry")."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import falcon.asgi

from tracker.agents.otlp import agents, genai
from tracker.agents.otlp.decoding import decode
from tracker.agents.otlp.genai import Part, Work
from tracker.agents.otlp.records import Signal, Span
from tracker.agents.receiving import counted_only, receive_telemetry, receive_trace
from tracker.api.body import check_length, is_json
from tracker.api.content_coding import coding_of, expand
from tracker.api.middleware.auth import Authenticator, Rights, principal_of, require_access
from tracker.api.otlp_answers import PROTOBUF, accepted, is_protobuf
from tracker.api.request_head import RequestHead
from tracker.clock import Clock
from tracker.domain.hooks import Heard, HookRequest, Payload
from tracker.domain.idempotency import LIFETIME_MS, Idempotency
from tracker.domain.limits import MAX_TELEMETRY_BYTES
from tracker.domain.ports import HookStore
from tracker.domain.principal import Principal, Right
from tracker.errors import Forbidden, Issue, UnsupportedMediaType

OTHERS: Final = "otlp"
"""Whose payloads count as what no agent has sent."""

_MOST_TRACES: Final = 10_000


class Telemetry:
    """One of the endpoints."""

    rights = Rights(post=Right.REPORT)

    def __init__(
        self, signal: Signal, store: HookStore, clock: Clock, authenticator: Authenticator
    ) -> None:
        self._signal = signal
        self._store = store
        self._clock = clock
        self._authenticator = authenticator
        # Those that had agents, the newest last: what else is of them may link what is theirs.
        self._traces: dict[str, None] = {}

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises UnsupportedMediaType, PayloadTooLarge, BadRequest, InvalidJSON, ValidationFailed,
        Forbidden, Unauthorized, Unavailable."""
        head = RequestHead.of(req.scope)
        in_json = _in_json(head)
        coding = coding_of(head)
        check_length(head, MAX_TELEMETRY_BYTES)
        body = await req.stream.read(MAX_TELEMETRY_BYTES + 1)
        check_length(head, MAX_TELEMETRY_BYTES, len(body))
        sender = principal_of(req)
        require_access(sender)
        # Megabytes take a tenth of a second, for which nobody else has to wait.
        if coding is not None and body:
            body = await asyncio.to_thread(expand, body, coding, MAX_TELEMETRY_BYTES)
        records = await asyncio.to_thread(decode, self._signal, body, is_json=in_json)
        payloads = self._payloads(records)
        rejected, why = await self._record(payloads, body, sender, head)
        resp.content_type = falcon.MEDIA_JSON if in_json else PROTOBUF
        resp.data = accepted(self._signal, rejected, why, is_json=in_json)

    def _payloads(self, records: Sequence[Any]) -> list[Payload]:
        now = self._clock.now_ms()
        if self._signal is Signal.TRACES:
            found, others = self._runs(records, now)
        else:
            told, others = agents.read(records, now)
            found = [receive_telemetry(source, tellings, now) for source, tellings in told.items()]
        if others:
            found.append(counted_only(OTHERS, self._signal, others))
        return found

    def _runs(self, spans: Iterable[Span], now: int) -> tuple[list[Payload], int]:
        """What is of traces with agents; and how many spans are of none."""
        traces: dict[str, list[Work]] = {}
        for span in spans:
            traces.setdefault(span.trace, []).append(genai.read(span))
        found, others = [], 0
        for trace, works in traces.items():
            if trace in self._traces or any(work.part is not Part.OTHER for work in works):
                self._traces[trace] = None
                found.append(receive_trace(trace, works, now))
            else:
                others += len(works)
        for trace in list(self._traces)[: max(0, len(self._traces) - _MOST_TRACES)]:
            del self._traces[trace]
        return found, others

    async def _record(
        self, payloads: Sequence[Payload], body: bytes, sender: Principal, head: RequestHead
    ) -> tuple[int, str]:
        """How many records were refused, and why. An export that is sent again is recorded once: it
        is the same to the byte."""
        digest = hashlib.blake2b(body, digest_size=16, person=self._signal.encode()).digest()
        waiting: list[asyncio.Future[Heard]] = []
        for number, payload in enumerate(payloads):
            key = (sender.key_id, f"otlp {digest.hex()} {number}")
            request = HookRequest(payload, sender.scope, Idempotency(key, digest, LIFETIME_MS))
            waiting.append(self._store.hear(request, len(body) // len(payloads)))
        results = await asyncio.gather(*waiting, return_exceptions=True)
        refused: list[Forbidden] = []
        for result in results:
            if isinstance(result, Forbidden):
                refused.append(result)
            elif isinstance(result, BaseException):
                raise result
        if refused:
            self._authenticator.note_refusal(sender, head, "another project")
            if len(refused) == len(payloads):
                raise refused[0]
        return len(refused), refused[0].message if refused else ""


def _in_json(head: RequestHead) -> bool:
    content_type = head.get(b"content-type")
    if is_json(content_type):
        return True
    if is_protobuf(content_type):
        return False
    raise UnsupportedMediaType(
        f"Send OTLP in protobuf or in JSON, with the header Content-Type: {PROTOBUF} or "
        f"{falcon.MEDIA_JSON}.",
        [Issue("Content-Type", f"This has to be {PROTOBUF} or {falcon.MEDIA_JSON}")],
    )
