"""Exports of spans, as programs send them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.telemetry import attributes

_IDS = itertools.count(1)


def span(
    operation: str,
    name: str = "",
    within: Mapping[str, Any] | None = None,
    *,
    at: tuple[int, int] = (0, 10),
    trace: str = "",
    error: Mapping[str, object] | None = None,
    **told: object,
) -> dict[str, Any]:
    """A span of GenAI's conventions; `at`: when it began and ended, in milliseconds; `error`: the
    attributes of the exception that it has recorded."""
    named = {"gen_ai.operation.name": operation} if operation else {}
    if operation == "invoke_agent" and name:
        named["gen_ai.agent.name"] = name
    if operation == "execute_tool":
        named["gen_ai.tool.name"] = name
    began, ended = at
    made: dict[str, Any] = {
        "traceId": trace or (within["traceId"] if within else f"{next(_IDS):032x}"),
        "spanId": f"{next(_IDS):016x}",
        "name": f"{operation} {name}".strip() or "GET",
        "startTimeUnixNano": str(began * 1_000_000),
        "endTimeUnixNano": str(ended * 1_000_000),
        "attributes": attributes({**named, **{k.replace("__", "."): v for k, v in told.items()}}),
        "status": {"code": 2 if error is not None else 1},
    }
    if within:
        made["parentSpanId"] = within["spanId"]
    if error is not None:
        recorded = {"name": "exception", "attributes": attributes(error)}
        made["events"] = [{**recorded, "timeUnixNano": str(ended * 1_000_000)}]
    return made


def used(input_: int = 100, output: int = 7, cached: int = 20) -> dict[str, object]:
    """A model's usage, as attributes; the input with what the cache had."""
    return {
        "gen_ai__response__model": "m",
        "gen_ai__usage__input_tokens": input_,
        "gen_ai__usage__output_tokens": output,
        "gen_ai__usage__cache_read__input_tokens": cached,
    }


def export_of(spans: Sequence[Mapping[str, Any]], project: str) -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    of = {"attributes": attributes({"service.name": project})}
    scope = {"name": "a.framework"}
    return {"resourceSpans": [{"resource": of, "scopeSpans": [{"scope": scope, "spans": spans}]}]}
