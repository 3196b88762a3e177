"""The user's folders, as platformdirs has them, by the standard library alone."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MEMORY: Final = ":memory:"
"""In place of a database's file: nothing is kept."""

_APPLICATION: Final = "agent-task-tracker"

_DATABASE: Final = "tracker.db"


def default_database(environment: Mapping[str, str]) -> Path:
    """Where a server keeps its database if nothing else is said. Raises RuntimeError: the user has
    no home."""
    return _folder(environment, "XDG_DATA_HOME", ".local/share") / _DATABASE


def spool_folder(environment: Mapping[str, str]) -> Path:
    """Where reports wait for their server: TRACKER_SPOOL, else in the user's folder for state."""
    given = environment.get("TRACKER_SPOOL")
    if given:
        return absolute(given)
    try:
        return _folder(environment, "XDG_STATE_HOME", ".local/state") / "spool"
    except RuntimeError:  # the user has no home
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"{_APPLICATION}-{user}" / "spool"


def absolute(name: str) -> Path:
    """The path of a name, or the name if there is no working directory any more."""
    try:
        return Path(name).absolute()
    except OSError:
        return Path(name)


def _folder(environment: Mapping[str, str], variable: str, unix: str) -> Path:
    if sys.platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return Path(local or Path.home() / "AppData" / "Local") / _APPLICATION
    chosen = environment.get(variable, "").strip()
    if chosen and os.path.isabs(os.path.expanduser(chosen)):  # noqa: PTH111, PTH117
        return Path(os.path.expanduser(chosen)) / _APPLICATION  # noqa: PTH111
    default = "Library/Application Support" if sys.platform == "darwin" else unix
    return Path.home() / default / _APPLICATION
