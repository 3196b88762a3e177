"""Telemetry of agents that are plugged in, by the names that each has for it
(docs/agents/telemetry.md). Everywhere `input` is without what came from or went into a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tracker.agents.otlp.records import Attributes, Record
from tracker.agents.otlp.wire import whole
from tracker.agents.telling import Source, Telling, Tells
from tracker.agents.texts import as_name, first_line, shorten
from tracker.domain.hooks import UNNAMED
from tracker.domain.limits import MAX_COST_USD, MAX_NAME, MAX_TOKENS
from tracker.domain.usage import Told, micros_of

_Read = Callable[[Record], Telling | None]

# What a prompt's text is told as, unless its user has allowed more.
_REDACTED: Final = "<REDACTED>"


def read(records: Iterable[Record], now: int) -> tuple[dict[Source, list[Telling]], int]:
    """What is told of each session; and how many records tell of none. `now`: the time of what
    has none."""
    found: dict[Source, list[Telling]] = {}
    others = 0
    for record in records:
        agent, read_one = _READERS.get(record.name, ("", None))
        session = as_name(_text(record, "session.id") or _text(record, "conversation.id"))
        if read_one is None or not session:
            others += 1
            continue
        telling = read_one(record._replace(at=record.at or now))
        if telling is not None:
            source = Source(agent, session, project_of(record.resource))
            found.setdefault(source, []).append(telling)
    return found, others


def project_of(resource: Attributes) -> str:
    """The project of a program, as its resource names it."""
    for name in ("tracker.project", "service.namespace", "service.name"):
        value = resource.get(name)
        if isinstance(value, str) and value.strip():
            return as_name(value)
    return UNNAMED


def _text(record: Record, name: str) -> str:
    """An attribute of the record, or of the program."""
    value = record.attributes.get(name) or record.resource.get(name)
    return value if isinstance(value, str) else ""


def _prompt(text: str) -> _Read:
    """`text`: the attribute that has it."""

    def read_one(record: Record) -> Telling:
        prompt = _text(record, text)
        turn = _text(record, "prompt.id")
        line = "" if prompt == _REDACTED else first_line(prompt)
        return Telling(Tells.PROMPT, record.at or 0, turn, text=line)

    return read_one


def _claude_call(record: Record) -> Telling:
    told = record.attributes
    told_micros = count(told.get("cost_usd_micros"))
    return Telling(
        *(Tells.CALL, record.at or 0, _text(record, "prompt.id")),
        subagent=_text(record, "agent_id"),
        kind=_text(record, "agent.name"),
        model=_model(record, "model"),
        used=Told(
            count(told.get("input_tokens")),
            count(told.get("output_tokens")),
            count(told.get("cache_read_tokens")),
            count(told.get("cache_creation_tokens")),
            micros(told.get("cost_usd")) if told_micros is None else told_micros,
        ),
    )


_CLAUDE_TOKENS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cacheRead": "cache_read_tokens",
    "cacheCreation": "cache_write_tokens",
}


def _claude_tokens(record: Record) -> Telling | None:
    kind = _CLAUDE_TOKENS.get(_text(record, "type"))
    amount = count(record.amount)
    return None if kind is None or amount is None else _metric(record, Told(**{kind: amount}))


def _claude_cost(record: Record) -> Telling | None:
    cost = micros(record.amount)
    return None if cost is None else _metric(record, Told(cost_micros=cost))


def _metric(record: Record, used: Told) -> Telling:
    named = sorted((name, str(value)) for name, value in record.attributes.items())
    total = "" if record.is_delta else as_name(f"{record.name} {named}")
    model = _model(record, "model")
    return Telling(Tells.METRIC, record.at or 0, model=model, used=used, total=total)


def _codex_event(record: Record) -> Telling | None:
    """A completed response is told twice; once without what it used."""
    told = record.attributes
    if told.get("event.kind") != "response.completed" or "input_token_count" not in told:
        return None
    read_, written = count(told.get("cached_token_count")), told.get("cache_write_token_count")
    used = without_cache(told, "input_token_count", "output_token_count", read_, count(written))
    return Telling(Tells.CALL, record.at or 0, model=_model(record, "model"), used=used)


def _gemini_response(record: Record) -> Telling:
    told = record.attributes
    cached = count(told.get("cached_content_token_count"))
    used = without_cache(told, "input_token_count", "output_token_count", cached, None)
    thoughts = count(told.get("thoughts_token_count"))  # which its output does not count in
    used = used.plus(Told(output_tokens=thoughts))
    return Telling(Tells.CALL, record.at or 0, model=_model(record, "model"), used=used)


def without_cache(
    told: Attributes, input_: str, output: str, read_: int | None, written: int | None
) -> Told:
    """What was used, where `input_` names what has the cache counted in."""
    whole_input = count(told.get(input_))
    fresh = None if whole_input is None else max(0, whole_input - (read_ or 0) - (written or 0))
    return Told(fresh, count(told.get(output)), read_, written)


def _model(record: Record, name: str) -> str:
    return shorten(_text(record, name), MAX_NAME)


def count(value: Any) -> int | None:
    """A number of tokens, or of millionths."""
    number = whole(value)
    return None if number is None or number < 0 else min(number, MAX_TOKENS)


def micros(value: Any) -> int | None:
    """Dollars as millionths."""
    try:
        dollars = float(value)
    except (TypeError, ValueError):
        return None
    return micros_of(dollars) if 0 <= dollars <= MAX_COST_USD else None


_READERS: Final[Mapping[str, tuple[str, _Read]]] = {
    "claude_code.user_prompt": ("claude-code", _prompt("prompt")),
    "claude_code.api_request": ("claude-code", _claude_call),
    "claude_code.token.usage": ("claude-code", _claude_tokens),
    "claude_code.cost.usage": ("claude-code", _claude_cost),
    "codex.user_prompt": ("codex", _prompt("prompt")),
    "codex.sse_event": ("codex", _codex_event),
    "gemini_cli.user_prompt": ("gemini-cli", _prompt("prompt")),
    "gemini_cli.api_response": ("gemini-cli", _gemini_response),
}
"""By the names of events and metrics: the agent, and what reads them."""
