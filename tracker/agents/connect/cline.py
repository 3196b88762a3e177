"""Cline: docs/agents/others.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tracker.agents.connect.base import Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.own_file import MARK, OwnFile
from tracker.errors import ConfigError

# A hook is an executable of that name. Not PreToolUse and PreCompact, which Cline asks for leave.
_EVENTS: Final = (
    *("TaskStart", "TaskResume", "TaskCancel", "TaskComplete"),
    *("UserPromptSubmit", "PostToolUse"),
)
# Cline wants an answer, also if the tracker is not there any more.
_SCRIPT: Final = f"""\
#!/bin/sh
# {MARK}: `tracker disconnect cline` removes this file.
COMMAND || printf '{{"cancel": false}}\\n'
"""


class Cline(Agent):
    """See `Agent`."""

    name = "cline"
    title = "Cline"
    programs = ("cline",)
    mode = 0o700
    next_step = 'Switch "Enable Hooks" on in Cline\'s settings.'

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.home / "Documents" / "Cline"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        if os.name == "nt":
            raise ConfigError("Cline's hooks are scripts of a Unix shell; on Windows it has none")
        return self.all_paths(place)

    def all_paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        folder = self.folder(place) / "Hooks"
        if place.project is not None:
            folder = place.project / ".clinerules" / "hooks"
        return [folder / event for event in _EVENTS]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        return OwnFile(_SCRIPT.replace("COMMAND", command.line))
