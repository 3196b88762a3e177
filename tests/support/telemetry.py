"""Exports of OTLP, as agents send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

PROTOBUF = "application/x-protobuf"


def value(given: object) -> dict[str, Any]:
    """An AnyValue."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    return {"doubleValue": given} if isinstance(given, float) else {"stringValue": given}


def attributes(given: Mapping[str, object]) -> list[dict[str, Any]]:
    """As OTLP has them in JSON."""
    return [{"key": key, "value": value(one)} for key, one in given.items()]


def logs(
    *events: tuple[str, int, Mapping[str, object]], resource: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Log records: the event's whole name, when it happened in milliseconds, and attributes."""
    records = [
        {
            "timeUnixNano": str(at * 1_000_000),
            "body": {"stringValue": name},
            "attributes": attributes({"event.name": name, **told}),
        }
        for name, at, told in events
    ]
    of = {"attributes": attributes(resource or {"service.name": "claude-code"})}
    return {"resourceLogs": [{"resource": of, "scopeLogs": [{"logRecords": records}]}]}


def call(at: int, turn: str = "p", session: str = "s", **told: object) -> Any:
    """A request of Claude Code's to a model, of 10 tokens in and 3 out for 200 millionths."""
    used = {"input_tokens": 10, "output_tokens": 3, "cost_usd_micros": 200}
    of = {"session.id": session, "model": "m", **({"prompt.id": turn} if turn else {})}
    return ("claude_code.api_request", at, {**of, **used, **told})


def protobuf(of: Mapping[str, Any]) -> bytes:
    """The same logs in protobuf."""
    request = ExportLogsServiceRequest()
    for resource_logs in of["resourceLogs"]:
        into = request.resource_logs.add()
        into.resource.attributes.extend(map(_pair, resource_logs["resource"]["attributes"]))
        for scope_logs in resource_logs["scopeLogs"]:
            scope = into.scope_logs.add()
            for record in scope_logs["logRecords"]:
                added = scope.log_records.add(time_unix_nano=int(record["timeUnixNano"]))
                added.body.string_value = record["body"]["stringValue"]
                added.attributes.extend(map(_pair, record["attributes"]))
    return request.SerializeToString()


def _pair(attribute: Mapping[str, Any]) -> KeyValue:
    ((kind, given),) = attribute["value"].items()
    kind = {"intValue": "int_value", "stringValue": "string_value"}.get(kind, "double_value")
    given = int(given) if kind == "int_value" else given
    return KeyValue(key=attribute["key"], value=AnyValue(**{kind: given}))
