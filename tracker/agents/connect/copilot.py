"""GitHub Copilot CLI: docs/agents/others.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.looking import read_object
from tracker.agents.connect.own_file import MARK

# In these cases the payload is Claude Code's and names its event. Not preToolUse: a hook of that
# which cannot run denies the tool. Not permissionRequest: it decides too; `notification` says that
# Copilot waits.
_EVENTS: Final = (
    *("SessionStart", "SessionEnd", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure"),
    *("Stop", "SubagentStop", "ErrorOccurred", "notification"),
)


class Copilot(Agent):
    """See `Agent`."""

    name = "copilot"
    title = "GitHub Copilot CLI"
    programs = ("copilot",)

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.folder("COPILOT_HOME", ".copilot")

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. Every file in the folder of hooks is read: ours is one of its own."""
        folder = place.project / ".github" if place.project is not None else self.folder(place)
        return [folder / "hooks" / f"{MARK}.json"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        key = "bash"
        line = command.line
        if os.name == "nt":
            key, line = "powershell", f"& {line}"
        entry: dict[str, Any] = {"type": "command", key: line, "timeoutSec": TIMEOUT}
        entries = dict.fromkeys(_EVENTS, entry)
        return HooksJson(ownership, entries, head={"version": 1}, is_flat=True)

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        path = self.folder(place) / "settings.json"
        if read_object(path).get("disableAllHooks") is True:
            return [f'{path}: "disableAllHooks" is on, so no hook runs']
        return []
