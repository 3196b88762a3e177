"""Codex CLI's payloads: those of its hooks have Claude Code's form; `notify`, which it runs at the
end of each turn, has its own (docs/agents/translation.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tracker.agents import claude_code
from tracker.agents.reader import Fields
from tracker.agents.steps import Reading, TurnEnded
from tracker.agents.texts import first_line

_TURN_COMPLETE: Final = "agent-turn-complete"

# Of apply_patch's input: the files that it changes.
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises ValidationFailed."""
    if payload.get("type") == _TURN_COMPLETE:
        return _notified(Fields(payload))
    return claude_code.read_as(_with_files(payload))


def _notified(fields: Fields) -> Reading:
    """It may come beside the hook for the same turn's end."""
    asked = fields.texts("input-messages")
    title = first_line(asked[0]) if asked else ""
    return Reading(
        session=fields.required("thread-id"),
        event=_TURN_COMPLETE,
        steps=(TurnEnded(fields.text("last-assistant-message"), title=title),),
        turn=fields.text("turn-id"),
        cwd=fields.text("cwd"),
    )


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
