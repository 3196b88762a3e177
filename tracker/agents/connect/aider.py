"""aider: docs/agents/others.md."""

from __future__ import annotations

import json
from pathlib import Path

from tracker.agents.connect.base import Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.own_file import MARK, OwnFile


class Aider(Agent):
    """See `Agent`. It tells one thing: that it waits for its user."""

    name = "aider"
    title = "aider"
    programs = ("aider",)

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.home / ".aider"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. Its file is YAML, which is not edited: ours if there is none yet."""
        folder = place.project if place.project is not None else place.home
        return [folder / ".aider.conf.yml"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        return OwnFile(
            f"# {MARK}: made by `tracker connect aider`\n"
            "notifications: true\n"
            f"notifications-command: {json.dumps(command.line, ensure_ascii=False)}\n",
            may_be_added_to=True,
        )
