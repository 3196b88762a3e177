"""Qwen Code's payloads: Claude Code's form and a time (docs/agents/translation.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracker.agents import claude_code
from tracker.agents.claude_code import Steps
from tracker.agents.reader import Fields
from tracker.agents.steps import Prompted, Reading, Said
from tracker.agents.texts import first_line


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    return claude_code.read_as(payload, _STEPS, ("SessionDelete",))


def _todo(fields: Fields) -> str:
    return first_line(fields.first("todo_content", "content", "task_subject"))


_STEPS: Final[Steps] = {
    # What its user typed, without what an extension has made of it.
    "UserPromptSubmit": lambda fields: (Prompted(fields.first("submitted_prompt", "prompt")),),
    "TodoCreated": lambda fields: (Said(f"Task: {_todo(fields)}"),),
    "TodoCompleted": lambda fields: (Said(f"Done: {_todo(fields)}"),),
}
