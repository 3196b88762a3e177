"""Qwen Code: docs/agents/others.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.looking import read_object

_IN_BACKGROUND: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PermissionDenied"),
    *("PostToolUse", "PostToolUseFailure", "Notification", "SubagentStart", "SubagentStop"),
)
_AWAITED: Final = ("Stop", "SessionEnd")


class QwenCode(Agent):
    """See `Agent`."""

    name = "qwen-code"
    title = "Qwen Code"
    programs = ("qwen",)

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.home / ".qwen"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        folder = place.project / ".qwen" if place.project is not None else self.folder(place)
        return [folder / "settings.json"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        handler: dict[str, Any] = {
            **{"type": "command", "command": command.line},
            "timeout": TIMEOUT * 1000,  # milliseconds
        }
        entries = {
            **{event: {"hooks": [{**handler, "async": True}]} for event in _IN_BACKGROUND},
            **{event: {"hooks": [handler]} for event in _AWAITED},
        }
        return HooksJson(ownership, entries)

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        path = self.folder(place) / "settings.json"
        if read_object(path).get("disableAllHooks") is True:
            return [f'{path}: "disableAllHooks" is on, so no hook runs']
        return []
