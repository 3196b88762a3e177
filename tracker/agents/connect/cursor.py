"""Cursor, the editor and cursor-agent: docs/agents/others.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.looking import commands_in, read_object

# One name that Cursor does not know voids the whole file, silently: only old ones.
_EVENTS: Final = (
    *("sessionStart", "beforeSubmitPrompt", "postToolUse", "postToolUseFailure"),
    *("subagentStop", "stop", "sessionEnd"),
)


class Cursor(Agent):
    """See `Agent`."""

    name = "cursor"
    title = "Cursor"
    programs = ("cursor-agent", "cursor")

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.home / ".cursor"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        folder = place.project / ".cursor" if place.project is not None else self.folder(place)
        return [folder / "hooks.json"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        entry: dict[str, Any] = {"command": command.line, "timeout": TIMEOUT}
        entries = dict.fromkeys(_EVENTS, entry)
        return HooksJson(ownership, entries, head={"version": 1}, is_flat=True)

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        path = place.folder("CLAUDE_CONFIG_DIR", ".claude") / "settings.json"
        is_claudes = Ownership("claude-code")
        if any(is_claudes(command) for command in commands_in(read_object(path))):
            return [
                "Cursor runs Claude Code's hooks as well if its setting for third-party hooks is "
                "on; the server recognises them, but switching it off saves the work"
            ]
        return []
