"""Claude Code: docs/agents/claude-code.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tracker.agents.connect.base import TIMEOUT, Agent, Entries, HookCommand, Place
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.looking import commands_in, read_object, table, values_of
from tracker.agents.connect.telemetry import (
    CONSTANTS,
    ENDPOINT,
    HELPER,
    HeadersHelper,
    own_variables,
)
from tracker.agents.connect.together import TogetherInJson

# At the end of a turn or a session, hooks that still run in the background are killed: in a short
# one (`claude -p`, an interrupt) those of its beginning too. And what begins a turn has to come
# before what is of it.
_NOT_IN_BACKGROUND: Final = frozenset(
    {"SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd"}
)

# Those that say something, and none that decide: a hook of WorktreeCreate takes git's place. Names
# that Claude Code does not know make it ignore all settings before 2.1.101: these it knows since
# 2.1.89.
_EVENTS: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PermissionDenied"),
    *("PostToolUse", "PostToolUseFailure", "Notification", "Elicitation", "ElicitationResult"),
    *("SubagentStart", "SubagentStop", "PreCompact", "PostCompact"),
    *("Stop", "StopFailure", "SessionEnd"),
)


class ClaudeCode(Agent):
    """See `Agent`."""

    name = "claude-code"
    title = "Claude Code"
    programs = ("claude",)
    was_driven = True
    oldest = (2, 1, 89)

    def folder(self, place: Place) -> Path:
        """See `Agent`."""
        return place.folder("CLAUDE_CONFIG_DIR", ".claude")

    def paths(self, place: Place) -> list[Path]:
        """See `Agent`. In a project the settings that are not committed: the executable's path is
        this user's."""
        if place.project is not None:
            return [place.project / ".claude" / "settings.local.json"]
        return [self.folder(place) / "settings.json"]

    def editor(self, path: Path, command: HookCommand, ownership: Ownership) -> Editor:  # noqa: ARG002
        """See `Agent`."""
        telemetry = command.telemetry
        variables = None if telemetry is None else {**CONSTANTS, ENDPOINT: telemetry.logs}
        return TogetherInJson(
            HooksJson(ownership, _entries(command.line)),
            HeadersHelper(self.name, command.line, variables),
        )

    def others_telemetry(self, place: Place) -> str | None:
        """See `Agent`."""
        own = own_variables(place.environment)
        if own:
            return f"{own[0]} is set in the environment"
        for path in self._settings(place):
            settings = read_object(path)
            env = table(settings, "env")
            own = own_variables(env) if HELPER not in settings else []
            if own:
                return f"{path} sets {own[0]}"
        return None

    def problems(self, place: Place) -> list[str]:
        """See `Agent`."""
        found = []
        managed = _managed()
        for path in self._settings(place):
            settings = read_object(path)
            if settings.get("disableAllHooks") is True:
                found.append(f'{path}: "disableAllHooks" is on, so no hook runs')
        if read_object(managed).get("allowManagedHooksOnly") is True:
            found.append(f'{managed}: "allowManagedHooksOnly" is on, so only its own hooks run')
        is_ours = Ownership(self.name)
        found += (
            f"{path}: a plugin has this hook too, so everything is reported twice"
            for path in self._plugins(place)
            if any(is_ours(command) for command in commands_in(read_object(path)))
        )
        return found

    def _settings(self, place: Place) -> list[Path]:
        files = [self.folder(place) / "settings.json"]
        if place.project is not None:
            files += (place.project / ".claude" / f"settings{end}.json" for end in ("", ".local"))
        return [*files, _managed()]

    def _plugins(self, place: Place) -> Iterator[Path]:
        installed = read_object(self.folder(place) / "plugins" / "installed_plugins.json")
        for item in values_of(installed, "installPath"):
            yield Path(item) / "hooks" / "hooks.json"


def _entries(command: str) -> Entries:
    """What goes into the list of each event."""
    return {event: {"hooks": [_handler(event, command)]} for event in _EVENTS}


def _handler(event: str, command: str) -> dict[str, Any]:
    handler: dict[str, Any] = {"type": "command", "command": command, "timeout": TIMEOUT}
    if event not in _NOT_IN_BACKGROUND:
        handler["async"] = True
    return handler


def _managed() -> Path:
    if sys.platform == "darwin":
        return Path("/Library/Application Support/ClaudeCode/managed-settings.json")
    if sys.platform == "win32":
        return Path("C:/Program Files/ClaudeCode/managed-settings.json")
    return Path("/etc/claude-code/managed-settings.json")
