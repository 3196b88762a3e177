"""Codex CLI: docs/agents/codex.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, Entries, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.hooks_toml import HooksToml
from tracker.agents.connect.looking import commands_in, read_object, read_table, table
from tracker.agents.connect.telemetry import is_private
from tracker.agents.connect.telemetry_toml import TABLE, TelemetryToml
from tracker.agents.connect.together import Together

_EVENTS: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse"),
    *("SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "Stop"),
)
# More than these seconds, Codex warns of at every start.
_CAPPED: Final = {"Interrupt": 3, "SessionEnd": 3}

_SNAKE: Final = re.compile(r"(?<!^)(?=[A-Z])")

# Of `[hooks]` what are no hooks: what Codex itself writes down of their trust.
_STATE: Final = "state"


class Codex(Agent):
    """See `Agent`."""

    name = "codex"
    title = "Codex CLI"
    programs = ("codex",)
    was_driven = True
    next_step = (
        "Codex runs no hook before you trust it: start codex, type /hooks, and trust those of "
        "`tracker hook codex`. Once is enough, their command line stays."
    )

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.folder("CODEX_HOME", ".codex")

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. Where there are hooks in config.toml, ours go there: both files at once make
        Codex warn at every start."""
        hooks, config = self.all_paths(place)
        return [config if _has_inline(config) else hooks]

    def telemetry_paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        return [self.all_paths(place)[1]]

    def others_telemetry(self, place: Place) -> str | None:
        """See `Agent`. The key has to stand in the file."""
        config = self.folder(place) / "config.toml"
        values = read_table(config)
        if TABLE in values and not _is_ours(config):
            return f"{config} has [{TABLE}]"
        if place.project is not None:
            return "its key would be in the repository; connect without --project"
        if not is_private(config):
            return (
                f"its key would be in {config}, which others can read, or which is in a git work "
                "tree; make it private (chmod 600), then connect again"
            )
        return None

    def all_paths(self, place: Place) -> list[Path]:
        """See `Agent`."""
        folder = self.folder(place) if place.project is None else place.project / ".codex"
        return [folder / "hooks.json", folder / "config.toml"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:
        """See `Agent`."""
        entries = _entries(command.line)
        if path.suffix == ".toml":
            inline = entries if _has_inline(path) else {}
            return Together(HooksToml(ownership, inline), TelemetryToml(command.telemetry))
        return HooksJson(ownership, entries)

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        config = self.folder(place) / "config.toml"
        values = read_table(config)
        found = []
        features = table(values, "features")
        for name in ("hooks", "codex_hooks"):
            if features.get(name) is False:
                found.append(f"{config}: [features] {name} = false, so no hook runs")
        if not self._is_trusted(place, table(table(values, "hooks"), _STATE)):
            found.append(
                "Codex has not been told to trust all hooks yet, and skips the others: start "
                "codex, type /hooks, and trust those of `tracker hook codex`"
            )
        return found

    def _is_trusted(self, place: Place, state: dict[str, Any]) -> bool:
        """Whether each of our hooks is. Codex names them by file, event and place in its list."""
        is_ours = Ownership(self.name)
        for path in self.all_paths(place):
            hooks = table(
                read_table(path) if path.suffix == ".toml" else read_object(path), "hooks"
            )
            for event, groups in hooks.items():
                for index, group in enumerate(groups if isinstance(groups, list) else ()):
                    ours = any(map(is_ours, commands_in(group)))
                    key = f"{path}:{_SNAKE.sub('_', event).lower()}:{index}:0"
                    if ours and not table(state, key).get("trusted_hash"):
                        return False
        return True


def _has_inline(config: Path) -> bool:
    return bool(set(table(read_table(config), "hooks")) - {_STATE})


def _is_ours(config: Path) -> bool:
    return TelemetryToml(None).count(config.read_bytes()) > 0


def _entries(command: str) -> Entries:
    return {
        **{event: _entry(command, TIMEOUT) for event in _EVENTS},
        **{event: _entry(command, seconds) for event, seconds in _CAPPED.items()},
    }


def _entry(command: str, seconds: int) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": command, "timeout": seconds}]}
