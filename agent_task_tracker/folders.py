"""The user's folders, as platformdirs has them, by the standard library alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent_task_tracker import user_folders

MEMORY: Final = ":memory:"
"""In place of a database's file: nothing is kept."""

_DATABASE: Final = "tracker.db"


def default_database(environment: Mapping[str, str]) -> Path:
    """Where a server keeps its database if nothing else is said. Raises RuntimeError: the user has
    no home."""
    return Path(user_folders.data(environment), _DATABASE)


def spool_folder(environment: Mapping[str, str]) -> Path:
    """Where reports wait for their server: TRACKER_SPOOL, else in the user's folder for state."""
    return Path(user_folders.spool(environment))


def absolute(name: str) -> Path:
    """The path of a name, or the name if there is no working directory any more."""
    return Path(user_folders.absolute(name))
