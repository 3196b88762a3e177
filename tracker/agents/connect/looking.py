"""Reads configuration to find why hooks do not run; edits nothing, refuses nothing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent_task_tracker.files import read_regular
from tracker.agents.connect.own_file import MARK

_MAX_BYTES: Final = 4 * 1024 * 1024


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one if there is none, or it cannot be read: to find what
    is wrong with our own hooks, not with the file."""
    try:
        found = json.loads(read_regular(path, _MAX_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def commands_in(value: object) -> Iterator[str]:
    """Every command in hooks, however they are nested."""
    return values_of(value, "command")


def values_of(value: object, name: str) -> Iterator[str]:
    """Every text under that name, however it is nested."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            else:
                yield from values_of(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from values_of(inner, name)


def read_table(path: Path) -> dict[str, Any]:
    """The same of a file in TOML."""
    try:
        return tomllib.loads(read_regular(path, _MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def table(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The object or table under a name; an empty one if there is none."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def our_entries(path: Path, agent: str) -> int:
    """How many hooks of an agent's a file has, whether or not it could be edited; 1 for another
    file of ours."""
    try:
        content = read_regular(path, _MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return 0
    own = int(MARK in "\n".join(content.split("\n")[:5]))
    return content.count(f" hook {agent}") or own
