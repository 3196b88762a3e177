"""goose: docs/agents/others.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.own_file import MARK, OwnFile

# Without "matcher": "*" is no regular expression, and goose passes over the rule without a word.
_EVENTS: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure"),
    *("Stop", "SessionEnd"),
)

_MANIFEST: Final = "plugin.json"
_PLUGIN: Final = {
    "name": MARK,
    "version": "1.0.0",  # of the plugin's files, which do not change with ours
    "description": "Tells the tracker what goose does; `tracker disconnect` removes it.",
}


class Goose(Agent):
    """See `Agent`."""

    name = "goose"
    title = "goose"
    programs = ("goose",)

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.config_home / "goose"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. A plugin is a folder of our own (open-plugins.com)."""
        root = place.project if place.project is not None else place.home
        plugin = root / ".agents" / "plugins" / MARK
        return [plugin / "hooks" / "hooks.json", plugin / _MANIFEST]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:
        """See `Agent`."""
        if path.name == _MANIFEST:
            return OwnFile(json.dumps(_PLUGIN, indent=2) + "\n")
        entry: dict[str, Any] = {
            "hooks": [{"type": "command", "command": command.line, "timeout": TIMEOUT}]
        }
        return HooksJson(ownership, dict.fromkeys(_EVENTS, entry))
