"""Gemini CLI: docs/agents/gemini-cli.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tracker.agents.connect.base import TIMEOUT, Agent, Entries, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.looking import read_object, table
from tracker.agents.connect.own_file import MARK, OwnFile

# Gemini waits for each hook, so few: none that fires for every chunk of an answer (AfterModel,
# BeforeModel, BeforeToolSelection), nor PreCompress, which fires before every turn.
_EVENTS: Final = (
    *("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent", "Notification"),
    "SessionEnd",
)

_MANIFEST: Final = "gemini-extension.json"
_EXTENSION: Final = {
    "name": MARK,
    "version": "1.0.0",  # of the extension's files, which do not change with ours
    "description": "Tells the tracker what Gemini CLI does; `tracker disconnect` removes it.",
}


class GeminiCli(Agent):
    """See `Agent`."""

    name = "gemini-cli"
    title = "Gemini CLI"
    programs = ("gemini",)
    was_driven = True

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        home = place.folder("GEMINI_CLI_HOME", "")
        return home / ".gemini"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. An extension is a folder of our own; a project has none."""
        if place.project is not None:
            return [place.project / ".gemini" / "settings.json"]
        extension = self.folder(place) / "extensions" / MARK
        return [extension / "hooks" / "hooks.json", extension / _MANIFEST]  # with that, it counts

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:
        """See `Agent`."""
        if path.name == _MANIFEST:
            return OwnFile(json.dumps(_EXTENSION, indent=2) + "\n")
        return HooksJson(ownership, _entries(command.line))

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        found = []
        folder = self.folder(place)
        for path in (folder / "settings.json", Path("/etc/gemini-cli/settings.json")):
            settings = read_object(path)
            if table(settings, "hooksConfig").get("enabled") is False:
                found.append(f'{path}: "hooksConfig.enabled" is false, so no hook runs')
            if table(settings, "security").get("allowedExtensions"):
                found.append(
                    f'{path}: "security.allowedExtensions" is set, which leaves out extensions '
                    "that were not installed from a source"
                )
        overrides = table(
            read_object(folder / "extensions" / "extension-enablement.json"), MARK
        ).get("overrides")
        if isinstance(overrides, list) and any(
            isinstance(one, str) and one.startswith("!") for one in overrides
        ):
            found.append(f"the extension {MARK} is disabled; `gemini extensions enable {MARK}`")
        return found


def _entries(command: str) -> Entries:
    handler = {"type": "command", "command": command, "timeout": TIMEOUT * 1000}
    return {event: {"hooks": [{"name": MARK, **handler}]} for event in _EVENTS}
