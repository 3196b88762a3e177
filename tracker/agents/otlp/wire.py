"""The two forms of OTLP, protobuf and JSON, read by the same names (opentelemetry-proto, 1.5).

JSON has the names in camel case, ids in hexadecimal and 64-bit integers as texts; what programs
send differs (numbers as numbers, values without a value), so nothing of its shape is taken for
granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Protocol

from tracker.agents.otlp.records import Attributes, Signal
from tracker.domain.parsing import parse_object
from tracker.errors import BadRequest, Issue, ValidationFailed

Node = Any
"""A message of either form."""

# Values are read so deep: those of agents hold no more than a list of objects.
_DEEPEST: Final = 4


class Wire(Protocol):
    """Reads one of the forms; a field is named as in the .proto files."""

    def each(self, node: Node, name: str) -> Sequence[Node]:
        """A repeated message."""

    def one(self, node: Node, name: str) -> Node:
        """A message; an empty one if it is not there."""

    def text(self, node: Node, name: str) -> str:
        """A text; ids are hexadecimal."""

    def number(self, node: Node, name: str) -> int:
        """An integer or an enum; 0 if it is not there."""

    def amount(self, node: Node) -> float | None:
        """The number of a data point."""

    def value(self, node: Node, depth: int = 0) -> Any:
        """An AnyValue."""


def attributes(wire: Wire, node: Node) -> Attributes:
    """The attributes of a message. Of a name that is given twice the last counts."""
    return {
        wire.text(one, "key"): wire.value(wire.one(one, "value"))
        for one in wire.each(node, "attributes")
    }


class ProtobufWire:
    """Messages of the `protobuf` library."""

    def each(self, node: Node, name: str) -> Sequence[Node]:
        found: Sequence[Node] = getattr(node, name)
        return found

    def one(self, node: Node, name: str) -> Node:
        return getattr(node, name)

    def text(self, node: Node, name: str) -> str:
        found = getattr(node, name)
        return found.hex() if isinstance(found, bytes) else str(found)

    def number(self, node: Node, name: str) -> int:
        return int(getattr(node, name))

    def amount(self, node: Node) -> float | None:
        kind = node.WhichOneof("value")
        return None if kind is None else getattr(node, kind)

    def value(self, node: Node, depth: int = 0) -> Any:
        kind = node.WhichOneof("value")
        if kind == "array_value" and depth < _DEEPEST:
            return [self.value(one, depth + 1) for one in node.array_value.values]
        if kind == "kvlist_value" and depth < _DEEPEST:
            of = node.kvlist_value.values
            return {one.key: self.value(one.value, depth + 1) for one in of}
        if kind in ("string_value", "bool_value", "int_value", "double_value"):
            return getattr(node, kind)
        return None


class JsonWire:
    """Parsed JSON."""

    def each(self, node: Node, name: str) -> Sequence[Node]:
        found = node.get(_camel(name))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def one(self, node: Node, name: str) -> Node:
        found = node.get(_camel(name))
        return found if isinstance(found, dict) else {}

    def text(self, node: Node, name: str) -> str:
        found = node.get(_camel(name))
        return found if isinstance(found, str) else ""

    def number(self, node: Node, name: str) -> int:
        return whole(node.get(_camel(name))) or 0

    def amount(self, node: Node) -> float | None:
        if "asInt" in node:
            return whole(node["asInt"])
        return node["asDouble"] if isinstance(node.get("asDouble"), int | float) else None

    def value(self, node: Node, depth: int = 0) -> Any:
        kind, found = next(iter(node.items()), ("", None))
        if kind == "intValue":
            return whole(found)
        if kind == "arrayValue" and isinstance(found, dict) and depth < _DEEPEST:
            return [self.value(one, depth + 1) for one in self.each(found, "values")]
        if kind == "kvlistValue" and isinstance(found, dict) and depth < _DEEPEST:
            return {
                self.text(one, "key"): self.value(self.one(one, "value"), depth + 1)
                for one in self.each(found, "values")
            }
        is_of = {
            "stringValue": isinstance(found, str),
            "boolValue": isinstance(found, bool),
            "doubleValue": isinstance(found, int | float),
        }
        return found if is_of.get(kind) else None


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_MOST_DIGITS: Final = 20  # of 64 bits


def whole(given: object) -> int | None:
    """An integer, as a number or a text."""
    if isinstance(given, str) and len(given) <= _MOST_DIGITS:
        try:
            return int(given)
        except ValueError:
            return None
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


_REQUESTS: Final = {
    Signal.LOGS: "ExportLogsServiceRequest",
    Signal.METRICS: "ExportMetricsServiceRequest",
    Signal.TRACES: "ExportTraceServiceRequest",
}


_WHOLE: Final = {
    Signal.LOGS: "resourceLogs",
    Signal.METRICS: "resourceMetrics",
    Signal.TRACES: "resourceSpans",
}


def parse_json(signal: Signal, body: bytes) -> tuple[Wire, Node]:
    """Raises InvalidJSON, ValidationFailed."""
    message, all_of_it = parse_object(body or b"{}"), _WHOLE[signal]
    given = [] if message.get(all_of_it) is None else message[all_of_it]
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        text = f"The body is no {_REQUESTS[signal]} of OTLP."
        raise ValidationFailed(text, [Issue(all_of_it, "This has to be a list of objects")])
    return JsonWire(), message


def parse_protobuf(signal: Signal, body: bytes) -> tuple[Wire, Node]:
    """Raises BadRequest."""
    # At the first request: they take a tenth of the server's start.
    from google.protobuf.message import DecodeError  # type: ignore  # noqa: PLC0415
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415

    of: dict[Signal, Any] = {
        Signal.LOGS: logs_service_pb2,
        Signal.METRICS: metrics_service_pb2,
        Signal.TRACES: trace_service_pb2,
    }
    message = getattr(of[signal], _REQUESTS[signal])()
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise BadRequest(
            f"The body is no {_REQUESTS[signal]} of OTLP in protobuf, as Content-Type says.",
            [Issue("body", "This has to be protobuf")],
        ) from None
    return ProtobufWire(), message
