"""What a mock model does next, as a test scripts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    """The model says something, which ends its turn."""

    text: str


@dataclass(frozen=True)
class Tool:
    """The model calls a tool by the name that the program gave it. What it calls it with may depend
    on the request: an agent started before goes by an id that only the program knows."""

    name: str
    input: Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]

    def arguments(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What it is called with in answer to this request."""
        return dict(self.input(request) if callable(self.input) else self.input)


@dataclass(frozen=True)
class Tools:
    """The model calls several tools at once."""

    calls: Sequence[Tool]


@dataclass(frozen=True)
class Fail:
    """The service refuses, every time that it is asked."""

    status: int
    kind: str = "api_error"
    message: str = "the mock model fails, as it was told"


@dataclass(frozen=True)
class Hold:
    """No answer comes before the model's end."""


Turn = Text | Tool | Tools | Fail | Hold
# By a text that the user's prompt contains, or a sub-agent's: its turns in order.
Script = Mapping[str, Sequence[Turn]]
