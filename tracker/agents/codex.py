"""Codex CLI's payloads, which have Claude Code's form (docs/agents/translation.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tracker.agents import claude_code
from tracker.agents.claude_code import Steps
from tracker.agents.reader import Fields
from tracker.agents.steps import Asked, Reading, Step

_TURN_COMPLETE: Final = "agent-turn-complete"

# Of apply_patch's input: the files that it changes.
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    fields = Fields(payload)
    if fields.text("type") == _TURN_COMPLETE:
        # The hooks tell of it too; this one also tells of threads that Codex uses for itself.
        return Reading(session="", event=_TURN_COMPLETE, steps=())
    reading = claude_code.read_as(_with_files(payload), _STEPS)
    if fields.text("agent_id"):  # its turns are its own, not those of who has started it
        return reading._replace(turn="")
    return reading


def _with_files(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A patch is told of by the files in it."""
    given = Fields(payload.get("tool_input"))
    if payload.get("tool_name") != "apply_patch":
        return payload
    patch = given.first("command", "input", "patch")
    files = _PATCHED.findall(patch)
    if not files:
        return payload
    return {**payload, "tool_input": {"file_path": ", ".join(files), "patch": patch}}


def _tool_began(fields: Fields) -> tuple[Step, ...]:
    """No event tells that a question is answered, but what comes next."""
    if fields.text("tool_name") != "request_user_input":
        return claude_code.tool_began(fields)
    return (Asked(claude_code.question(Fields(fields.get("tool_input")))),)


_STEPS: Final[Steps] = {"PreToolUse": _tool_began}
