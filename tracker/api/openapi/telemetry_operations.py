"""What the API offers to exporters of telemetry; see `operations`."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from tracker.agents.otlp.records import Signal
from tracker.api import answers, hook_schemas
from tracker.api.openapi import examples
from tracker.api.openapi.operations import Operation, Response
from tracker.domain.principal import Right


def _export(signal: Signal, body: type[BaseModel], example: object) -> Operation:
    return Operation(
        method="post",
        path=f"/v1/{signal}",
        id=f"export_{signal}",
        tag="Telemetry",
        summary=f"Export {signal} by OTLP",
        description="OTLP over HTTP, as every exporter of OpenTelemetry sends it: protobuf "
        "(`application/x-protobuf`, which is answered in protobuf) or JSON. What is of no agent is "
        "answered and dropped. A failure is a `google.rpc.Status`, in JSON with `error` beside it.",
        body=body,
        example=example,
        answers={200: Response("Taken.", answers.Exported, {})},
        failures=("TelemetryTooLarge",),
        right=Right.REPORT,
    )


TELEMETRY_OPERATIONS: Final = (
    _export(Signal.LOGS, hook_schemas.LogsBody, examples.LOGS),
    _export(Signal.METRICS, hook_schemas.MetricsBody, examples.METRICS),
    _export(Signal.TRACES, hook_schemas.TracesBody, examples.TRACES),
)
