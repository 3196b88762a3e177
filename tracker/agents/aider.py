"""aider runs a command when it waits for its user, and tells it nothing: what was done then was a
turn, of the one session of its process (docs/agents/translation.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.agents.reader import Fields
from tracker.agents.steps import Prompted, Reading, TurnEnded


def read(payload: Mapping[str, Any]) -> Reading:
    """See `Reading`."""
    return Reading(
        session="",
        event="waits",
        steps=(Prompted(""), TurnEnded()),
        cwd=Fields(payload).text("cwd"),
        is_of_process=True,
    )
