"""Spans of agents that are built with a framework, by the names for it: OpenTelemetry's GenAI
conventions (semantic-conventions-genai 1.38), and those of OpenInference and OpenLLMetry, whose
instrumentations frameworks without one of their own are used with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import orjson

from tracker.agents.otlp.agents import count, micros, project_of, without_cache
from tracker.agents.otlp.records import Attributes, Span
from tracker.agents.texts import shorten, text_of, tool_line
from tracker.domain.hooks import UNNAMED
from tracker.domain.limits import MAX_NAME
from tracker.domain.usage import Told

MAX_RESULT: Final = 10_000
"""Characters of what an agent has answered."""


class Part(Enum):
    """What a span is of an agent's work."""

    RUN = auto()
    """Of an agent or a workflow: a task."""
    CALL = auto()
    """Of a model."""
    TOOL = auto()
    OTHER = auto()
    """Between those, perhaps."""


class Work(NamedTuple):
    """A span as what it is of an agent's work. `used`: None, if it tells no usage. `asked`,
    `answered`: in a call or a run, if it tells that; of a tool, how it was called."""

    part: Part
    span: Span
    name: str
    used: Told | None
    model: str
    asked: str
    answered: str


# The first name that a span has counts.
_OPERATION: Final = "gen_ai.operation.name"
_PARTS: Final = {
    _OPERATION: {
        "invoke_agent": Part.RUN,
        "invoke_workflow": Part.RUN,
        "execute_tool": Part.TOOL,
        "chat": Part.CALL,
        "generate_content": Part.CALL,
        "text_completion": Part.CALL,
    },
    "openinference.span.kind": {"AGENT": Part.RUN, "LLM": Part.CALL, "TOOL": Part.TOOL},
    "traceloop.span.kind": {"workflow": Part.RUN, "agent": Part.RUN, "tool": Part.TOOL},
}
_NAMES: Final = (
    *("gen_ai.agent.name", "gen_ai.workflow.name", "gen_ai.tool.name"),
    *("agent.name", "agent_name", "tool.name", "graph.node.id", "traceloop.entity.name"),
)
_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
_SESSIONS: Final = ("gen_ai.conversation.id", "session.id", "langgraph.thread_id")
_INPUT: Final = (
    *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
)
_OUTPUT: Final = (
    *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "llm.token_count.completion",
)
_READ: Final = (
    *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    *("gen_ai.usage.details.cache_read_tokens", "llm.token_count.prompt_details.cache_read"),
)
_WRITTEN: Final = (
    *("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
    *("gen_ai.usage.details.cache_write_tokens", "llm.token_count.prompt_details.cache_write"),
)
_COST: Final = ("operation.cost", "gen_ai.usage.cost", "llm.cost.total")
_ARGUMENTS: Final = ("gen_ai.tool.call.arguments", "tool_arguments", "input.value")
_ASKED: Final = (
    *("gen_ai.input.messages", "pydantic_ai.all_messages"),
    *("input.value", "traceloop.entity.input"),
)
_ANSWERED: Final = (
    *("final_result", "gen_ai.output.messages", "output.value", "traceloop.entity.output"),
)
# OpenInference's messages: an attribute for each part of each.
_MESSAGE: Final = re.compile(
    r"llm\.(in|out)put_messages\.(\d+)\.message\.(role|content|contents\.\d+\.message_content\.text)"
)
# Where a run's input is an object, what is asked in it.
_QUESTIONS: Final = ("task", "query", "question", "prompt", "topic", "input")
# Methods that instrumentations name spans by.
_METHODS: Final = (".run", ".kickoff", "._execute_core")


def read(span: Span) -> Work:
    """What a span is."""
    told = span.attributes
    part = _part(span)
    name = _first(told, _NAMES) or _without_operation(span)
    used = None if part is Part.OTHER and _OPERATION not in told else _used(told)
    if part is Part.OTHER and used is not None:
        part = Part.CALL
    asked = answered = ""
    if part is Part.TOOL:
        asked = tool_line(shorten(name, MAX_NAME), _object(_first(told, _ARGUMENTS)), "")
    elif part is not Part.OTHER:
        flat = _flat_messages(told)
        asked = flat.get("in", "") or _said(_first(told, _ASKED), ("user", "human"))
        answered = flat.get("out", "") or _said(_first(told, _ANSWERED), ("assistant", "ai"))
    model = shorten(_first(told, _MODELS), MAX_NAME)
    return Work(part, span, name, used, model, asked, shorten(answered, MAX_RESULT))


def session_of(span: Span) -> str:
    """The conversation; empty if it is told of none."""
    return _first(span.attributes, _SESSIONS)


class Failure(NamedTuple):
    """Why a span has failed."""

    kind: str
    message: str
    stack: str


def failure_of(span: Span) -> Failure | None:
    """By its status, and by the exception that it has recorded last."""
    if not span.failed:
        return None
    recorded: Attributes = next(
        (one.attributes for one in reversed(span.events) if one.name == "exception"), {}
    )
    kind = _first(recorded, ["exception.type"]) or _first(span.attributes, ["error.type"])
    message = _first(recorded, ["exception.message"]) or span.message
    stack = _first(recorded, ["exception.stacktrace"])
    return Failure(shorten(kind, MAX_NAME) or "Error", shorten(message, MAX_RESULT), stack)


def project(span: Span) -> str:
    """Of the program; of one that nobody has named, none."""
    named = project_of(span.resource)
    return UNNAMED if named.startswith("unknown_service") else named


def _part(span: Span) -> Part:
    for attribute, parts in _PARTS.items():
        value = span.attributes.get(attribute)
        if isinstance(value, str) and value in parts:
            part = parts[value]
            # A node of LangGraph is taken for an agent by its name; the graph is the agent.
            is_node = '"langgraph_node"' in text_of(span.attributes.get("metadata"))
            return Part.OTHER if part is Part.RUN and is_node else part
    if span.attributes.get("openinference.span.kind") == "CHAIN" and not span.parent:
        return Part.RUN  # a workflow: of LangGraph nothing else is an agent
    return _PARTS[_OPERATION].get(span.name.partition(" ")[0], Part.OTHER)


def _without_operation(span: Span) -> str:
    operation, _, rest = span.name.partition(" ")
    name = rest if rest and operation in _PARTS[_OPERATION] else span.name
    return next((name.removesuffix(one) for one in _METHODS if name.endswith(one)), name)


def _used(told: Attributes) -> Told | None:
    given, output = _named(told, _INPUT), _named(told, _OUTPUT)
    if given is None and output is None:
        return None
    names = {"input": given or "", "output": output or ""}
    read_, written = (count(told.get(_named(told, name) or "")) for name in (_READ, _WRITTEN))
    used = without_cache(told, names["input"], names["output"], read_, written)
    return used._replace(cost_micros=micros(told.get(_named(told, _COST) or "")))


def _named(told: Attributes, names: Sequence[str]) -> str | None:
    return next((name for name in names if told.get(name) is not None), None)


def _first(told: Attributes, names: Sequence[str]) -> str:
    """The first of the attributes that says anything, as a text."""
    return next((text for name in names if (text := text_of(told.get(name)))), "")


def _object(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _flat_messages(told: Attributes) -> dict[str, str]:
    """The last text of a user that went in, and the last that came out."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for name, value in told.items():
        match = _MESSAGE.fullmatch(name)
        if match and isinstance(value, str):
            kind = "role" if match[3] == "role" else "text"
            found.setdefault((match[1], int(match[2])), {})[kind] = value
    said = {}
    for (way, _), message in sorted(found.items()):
        text = message.get("text")
        if text and (way == "out" or message.get("role") == "user"):
            said[way] = text
    return said


def _said(text: str, roles: Sequence[str]) -> str:
    """The last thing that was said by one of these, where a text holds messages; else the text, if
    it is plain."""
    content = _object(text)
    if isinstance(content, dict):
        question = next((content[name] for name in _QUESTIONS if content.get(name)), None)
        if "user" in roles and isinstance(question, str):
            return question
        content = content.get("messages") or content.get("output") or [content]
    if not isinstance(content, list):
        is_plain = isinstance(content, str) and not text.lstrip().startswith(("{", "["))
        return text if is_plain else ""  # JSON that an exporter has cut
    messages = [one for one in content if isinstance(one, dict)]
    of_roles = [one for one in messages if (one.get("role") or one.get("type")) in roles]
    return next((said for one in reversed(of_roles) if (said := _spoken(one))), "")


def _spoken(message: dict[str, Any]) -> str:
    """The text of a message, of its parts."""
    if isinstance(message.get("data"), dict):  # LangChain's
        message = message["data"]
    found = message.get("parts") or message.get("content")
    if isinstance(found, str):
        return found
    if not isinstance(found, list):
        return ""
    texts = [one.get("content") or one.get("text") for one in found if isinstance(one, dict)]
    return "\n".join(one for one in texts if isinstance(one, str))
