"""The user's folders as platformdirs has them, as strings: little is imported, for a hook is waited
for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from agent_task_tracker.light_typing import Final

_APPLICATION: Final = "agent-task-tracker"


def data(environment: Mapping[str, str]) -> str:
    """For what is kept. Raises RuntimeError: the user has no home."""
    return _folder(environment, "XDG_DATA_HOME", ".local/share")


def configuration(environment: Mapping[str, str]) -> str:
    """For what the user has set up. Raises RuntimeError: the user has no home."""
    return _folder(environment, "XDG_CONFIG_HOME", ".config")


def spool(environment: Mapping[str, str]) -> str:
    """Where reports wait for their server: TRACKER_SPOOL, else in the user's folder for state."""
    given = environment.get("TRACKER_SPOOL")
    if given:
        return absolute(given)
    try:
        return os.path.join(_folder(environment, "XDG_STATE_HOME", ".local/state"), "spool")
    except RuntimeError:  # the user has no home
        import tempfile

        user = os.getuid() if hasattr(os, "getuid") else "user"
        return os.path.join(tempfile.gettempdir(), f"{_APPLICATION}-{user}", "spool")


def absolute(name: str) -> str:
    """The path of a name, or the name if there is no working directory any more."""
    try:
        return os.path.join(os.getcwd(), name)
    except OSError:
        return name


def _folder(environment: Mapping[str, str], variable: str, unix: str) -> str:
    if sys.platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return os.path.join(local or os.path.join(_home(), "AppData", "Local"), _APPLICATION)
    chosen = os.path.expanduser(environment.get(variable, "").strip())
    if os.path.isabs(chosen):
        return os.path.join(chosen, _APPLICATION)
    default = "Library/Application Support" if sys.platform == "darwin" else unix
    return os.path.join(_home(), default, _APPLICATION)


def _home() -> str:
    home = os.path.expanduser("~")
    if home == "~":
        raise RuntimeError("the user has no home")
    return home
