"""What OTLP over HTTP is answered: in the form of the request, failures as a google.rpc.Status
(opentelemetry-proto 1.5, OTLP/HTTP Response). Its protobuf is two fields, and
is written here: what fails must not need the library to say so."""

from __future__ import annotations

from typing import Final

import orjson

from tracker.agents.otlp.records import Signal
from tracker.api.reply import Reply

PROTOBUF: Final = "application/x-protobuf"
PREFIX: Final = "/v1/"

_REJECTED: Final = {
    Signal.LOGS: "rejectedLogRecords",
    Signal.METRICS: "rejectedDataPoints",
    Signal.TRACES: "rejectedSpans",
}

# google.rpc.Code, by the statuses that are answered; INVALID_ARGUMENT for all others.
_CODES: Final = {401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}
_INVALID: Final = 3

# Tags of protobuf's wire format: number of the field and type of its value.
_VARINT_1, _BYTES_1, _BYTES_2 = 0x08, 0x0A, 0x12


def is_protobuf(content_type: str | None) -> bool:
    """Whether a request is in protobuf."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence in (PROTOBUF, "application/protobuf")


def accepted(signal: Signal, rejected: int, why: str, *, is_json: bool) -> bytes:
    """An Export…ServiceResponse; with a partial success if some was refused."""
    if not rejected:
        return b"{}" if is_json else b""
    if is_json:
        partial = {_REJECTED[signal]: str(rejected), "errorMessage": why}
        return orjson.dumps({"partialSuccess": partial})
    message = _number(_VARINT_1, rejected) + _bytes(_BYTES_2, why.encode())
    return _bytes(_BYTES_1, message)


def as_status(reply: Reply, content_type: str | None) -> Reply:
    """A failure, as exporters read it; in JSON with all that other answers have too."""
    content = orjson.loads(reply.body)
    code, message = _CODES.get(reply.status, _INVALID), content["error"]["message"]
    if is_protobuf(content_type):
        body = _number(_VARINT_1, code) + _bytes(_BYTES_2, message.encode())
        return reply._replace(body=body, headers={**reply.headers, "Content-Type": PROTOBUF})
    return reply._replace(body=orjson.dumps({"code": code, "message": message, **content}))


def _number(tag: int, value: int) -> bytes:
    return bytes([tag]) + _varint(value)


def _bytes(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
