"""opencode: docs/agents/opencode.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tracker.agents.connect.base import Agent, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.own_file import MARK, OwnFile

_PLUGIN: Final = Path(__file__).with_name("opencode_plugin.js")
_PLACEHOLDER: Final = '["tracker", "hook", "opencode"]'


class OpenCode(Agent):
    """See `Agent`."""

    name = "opencode"
    title = "opencode"
    programs = ("opencode",)
    was_driven = True
    next_step = (
        "With a plugin, opencode waits at its next start until it has installed "
        "@opencode-ai/plugin, unless it has already: that start needs a network."
    )

    def folder(self, place: Place) -> Path:
        """See `Agent`. What OPENCODE_CONFIG_DIR names is read besides, not instead."""
        return place.config_home / "opencode"

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. A file in its folder of plugins is a plugin."""
        folder = self.folder(place) if place.project is None else place.project / ".opencode"
        return [folder / "plugins" / f"{MARK}.js"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        before, _, after = _PLUGIN.read_text(encoding="utf-8").partition(_PLACEHOLDER)
        return OwnFile(before + json.dumps(command.arguments, ensure_ascii=False) + after)

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        if place.environment.get("OPENCODE_PURE"):
            return ["OPENCODE_PURE is set, so opencode loads no plugin"]
        return []
