"""From the body of an export to its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracker.agents.otlp.records import Link, Record, Signal, Span
from tracker.agents.otlp.wire import Node, Wire, attributes, parse_json, parse_protobuf
from tracker.agents.reader import moment

_NS_PER_MS: Final = 1_000_000
_DELTA: Final = 1  # AggregationTemporality
_ERROR: Final = 2  # Status.StatusCode

# Of a span, what is read; more are a program gone wild.
_MOST_EVENTS: Final = 100


def decode(signal: Signal, body: bytes, *, is_json: bool) -> list[Record] | list[Span]:
    """Raises InvalidJSON, ValidationFailed, BadRequest."""
    wire, message = parse_json(signal, body) if is_json else parse_protobuf(signal, body)
    if signal is Signal.TRACES:
        return list(_spans(wire, message))
    return list(_logs(wire, message) if signal is Signal.LOGS else _points(wire, message))


def _logs(wire: Wire, message: Node) -> Iterator[Record]:
    for resource_logs in wire.each(message, "resource_logs"):
        resource = attributes(wire, wire.one(resource_logs, "resource"))
        for scope_logs in wire.each(resource_logs, "scope_logs"):
            for record in wire.each(scope_logs, "log_records"):
                told = attributes(wire, record)
                name, body = told.get("event.name"), wire.value(wire.one(record, "body"))
                if isinstance(body, str) and body.endswith(f".{name}"):  # Claude Code's whole name
                    name = body
                at = _ms(wire, record, "time_unix_nano") or moment(told.get("event.timestamp"))
                at = at or _ms(wire, record, "observed_time_unix_nano")
                yield Record(name if isinstance(name, str) else "", told, resource, at)


def _points(wire: Wire, message: Node) -> Iterator[Record]:
    """Those of sums: of other kinds of metrics none is read."""
    for resource_metrics in wire.each(message, "resource_metrics"):
        resource = attributes(wire, wire.one(resource_metrics, "resource"))
        for scope_metrics in wire.each(resource_metrics, "scope_metrics"):
            for metric in wire.each(scope_metrics, "metrics"):
                sum_ = wire.one(metric, "sum")
                is_delta = wire.number(sum_, "aggregation_temporality") == _DELTA
                name = wire.text(metric, "name")
                for point in wire.each(sum_, "data_points"):
                    at = _ms(wire, point, "time_unix_nano")
                    told = attributes(wire, point)
                    yield Record(name, told, resource, at, wire.amount(point), is_delta)


def _spans(wire: Wire, message: Node) -> Iterator[Span]:
    for resource_spans in wire.each(message, "resource_spans"):
        resource = attributes(wire, wire.one(resource_spans, "resource"))
        for scope_spans in wire.each(resource_spans, "scope_spans"):
            scope = wire.text(wire.one(scope_spans, "scope"), "name")
            for span in wire.each(scope_spans, "spans"):
                status = wire.one(span, "status")
                began = _ms(wire, span, "start_time_unix_nano") or 0
                yield Span(
                    wire.text(span, "trace_id"),
                    wire.text(span, "span_id"),
                    wire.text(span, "parent_span_id"),
                    wire.text(span, "name"),
                    attributes(wire, span),
                    resource,
                    began,
                    max(_ms(wire, span, "end_time_unix_nano") or 0, began),
                    wire.number(status, "code") == _ERROR,
                    wire.text(status, "message"),
                    tuple(
                        Link(
                            wire.text(event, "name"),
                            attributes(wire, event),
                            _ms(wire, event, "time_unix_nano") or began,
                        )
                        for event in wire.each(span, "events")[:_MOST_EVENTS]
                    ),
                    scope,
                )


def _ms(wire: Wire, node: Node, name: str) -> int | None:
    """None for 0, which stands for a time that is not known."""
    return moment(wire.number(node, name) / _NS_PER_MS)
