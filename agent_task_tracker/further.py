"""What every report may tell beyond what the API document asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Further(TypedDict, total=False):
    """Keyword arguments of each kind of report; None is as if it was left out, but for
    `attention`."""

    session: str | None
    """The conversation or run that the task belongs to, within its project."""

    parent_task_id: str | None
    """The task of the same project that started this one."""

    attention: str | None
    """What the task needs a person for. None with an `attention_id`: no longer."""

    attention_id: str | None
    """Names the request, where there may be several."""

    stale_after_seconds: float | None
    """How long this task's silence is normal."""

    usage: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    """What this attempt has used so far, or a list with one for each `model`: `input_tokens`,
    `output_tokens`, `cache_read_tokens`, `cache_write_tokens`, `cost_usd`. What is given replaces
    what it was."""

    occurred_at: str | None
    """When it happened, in ISO 8601, if that was not just now."""
