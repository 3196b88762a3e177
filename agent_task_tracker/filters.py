"""Which tasks are asked for: the API's filters (docs/api.md, "Reading")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class TaskFilters(TypedDict, total=False):
    """Keyword arguments of what chooses among tasks; None is as if it was left out. Times are in
    ISO 8601, or dates."""

    status: str | None
    """`running`, or several with commas."""

    agent: str | None
    """The agent of that name; where there is none, those whose name holds it."""

    session: str | None
    date_from: str | None
    """Started then or later."""

    date_to: str | None
    """Ended then or earlier."""

    q: str | None
    """Words to search for."""

    since: str | None
    """Under way then or later: a time, or so long ago (`30m`, `2h`, `3d`)."""

    model: str | None
    """That used this model; the name is matched as an agent's is."""

    cost_min: float | None
    """That told of at least that cost, in US dollars."""

    attention: bool | None
    """Whether it needs a person."""

    silent: bool | None
    overdue: bool | None
    attempt: int | None
    attempt_min: int | None
    parent: str | None
    """The `task_id` of the task that started it."""

    title: str | None
    """Called exactly so."""


def as_parameters(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """As the API takes them."""
    return {
        name: int(value) if isinstance(value, bool) else value for name, value in chosen.items()
    }
