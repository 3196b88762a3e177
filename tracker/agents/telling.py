"""What telemetry tells of a session of an agent: prompts, and what its models have used. Each
agent's names for it stand in `tracker.agents.otlp`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from tracker.domain.usage import NOT_TOLD, Told


class Tells(StrEnum):
    """Of what."""

    PROMPT = "prompt"
    CALL = "call"
    """Of a model, by an event of its own."""
    METRIC = "metric"
    """Of calls, by a metric: they are counted if no event tells of them."""


class Telling(NamedTuple):
    """`at` in milliseconds; `turn`: the prompt that it is of, if the agent names it; `subagent`,
    `kind`: name and type of the sub-agent that it is of. `text`: of a prompt. `used`: how much
    more. `total`: of a metric that tells totals, what names it: `used` is that much in all."""

    tells: Tells
    at: int
    turn: str = ""
    subagent: str = ""
    kind: str = ""
    model: str = ""
    used: Told = NOT_TOLD
    text: str = ""
    total: str = ""

    def dump(self) -> list[Any]:
        """As JSON."""
        return [*self._replace(used=list(self.used))]  # type: ignore[arg-type]

    @classmethod
    def load(cls, given: list[Any]) -> Telling:
        """From what `dump` made."""
        told = cls(*given)
        return told._replace(tells=Tells(told.tells), used=Told(*told.used))


class Source(NamedTuple):
    """Whose session it is. `project`: what the program says of it, if nobody else does."""

    agent: str
    session: str
    project: str
