"""How texts of agents are shortened, and tool calls made readable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

import orjson

from tracker.domain.limits import MAX_NAME

_MAX_LINE: Final = 200  # characters

# So much of a text is looked at for its first line, and so long may a path be: looking at a
# megabyte would hold up everybody else.
_MAX_READ: Final = 4096

# What tells most of a tool's input, by the names that agents use, the most telling first.
_TELLING: Final = (
    *("command", "cmd", "pattern", "query", "url"),
    *("file_path", "filePath", "absolute_path", "notebook_path", "path", "target_file"),
    *("description", "prompt", "name"),
)
_PATHS: Final = frozenset(
    {"file_path", "filePath", "absolute_path", "notebook_path", "path", "target_file"}
)


def shorten(text: str, most: int) -> str:
    """At most so many characters, none of which is NUL."""
    text = without_nul(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def without_nul(text: str) -> str:
    """The text as the tracker takes it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def first_line(text: str, most: int = _MAX_LINE) -> str:
    """The first line with anything in it."""
    lines = text.lstrip()[:_MAX_READ].splitlines()
    return shorten(lines[0].rstrip(), most) if lines else ""


def as_name(text: str) -> str:
    """A name as the tracker takes it; a longer one keeps its head, and differs from all others."""
    text = without_nul(text)
    if len(text) <= MAX_NAME:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[: MAX_NAME - len(digest) - 1]}-{digest}"


def signature(tool: str, given: object) -> str:
    """Tells calls of tools apart by the tool and its input."""
    content = orjson.dumps([tool, given], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def tool_line(tool: str, given: object, cwd: str) -> str:
    """A tool's call as a person reads it: `Edit tracker/app.py`, `Bash: pytest -q`."""
    told: Mapping[str, Any] = given if isinstance(given, dict) else {}
    for key in _TELLING:
        value = told.get(key)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            value = " ".join(value)
        if isinstance(value, str) and value.strip():
            if key in _PATHS:
                return f"{tool} {shorten(within(value, cwd), _MAX_LINE)}"
            return f"{tool}: {first_line(value)}"
    return tool


def within(path: str, folder: str) -> str:
    """The path as seen from the folder, if it lies in it."""
    if max(len(path), len(folder)) > _MAX_READ:
        return path
    kind = PureWindowsPath if PureWindowsPath(folder).drive else PurePosixPath
    try:
        return str(kind(path).relative_to(kind(folder))) if folder else path
    except ValueError:
        return path


def text_of(value: object) -> str:
    """A text, whatever an agent has put in its place."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
