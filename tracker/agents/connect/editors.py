"""What an editor of a configuration file does, whatever the file's format.

Editors are pure: bytes in, bytes out. `tracker/agents/connect/config_file.py` reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Protocol

# A program of ours by any name that it is given: tracker, agent-task-tracker, tracker-linux-x64.
_PROGRAM: Final = r"(?:agent-task-)?tracker(?:[-_.][\w.-]*)?"


class Edited(NamedTuple):
    """A file with our entries. `spans`: where in it is what was put in, as offset and length in
    bytes: without that it is the file before. `containers`: paths of objects and arrays made for
    our entries, which were not there."""

    content: bytes
    spans: Sequence[tuple[int, int]]
    containers: Sequence[str] = ()


class Unsuitable(Exception):
    """The content is not what may be edited; the exception's text says why."""


class Editor(Protocol):
    """Edits one file's content."""

    def count(self, content: bytes) -> int:
        """How many entries of ours there are, current or not. Raises Unsuitable."""

    def is_current(self, content: bytes) -> bool:
        """Whether exactly the wanted entries are there. Raises Unsuitable."""

    def add(self, content: bytes | None) -> Edited:
        """Add the wanted entries; None: there is no file. There are none of ours yet. Raises
        Unsuitable."""

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:
        """Take out our entries, and those containers that are empty then; `made`: the file was made
        for them. Returns None if nothing of the file is left to be kept. Raises Unsuitable."""

    def snippet(self) -> str:
        """What a person would add."""


class Ownership:
    """Knows our entries of one agent: by their command, which ends in `tracker hook AGENT`."""

    def __init__(self, agent: str, commands: Collection[str] = ()) -> None:
        """`commands`: further ones that are ours, whatever the executable is called."""
        self.agent = agent
        self._commands = frozenset(commands)
        # One path, quoted or a word: what runs something else before is not ours alone.
        paths = (
            rf'"(?:[^"\n]*[/\\])?{_PROGRAM}"',
            rf"'(?:[^'\n]*[/\\])?{_PROGRAM}'",
            rf"(?:[^\s\"'|&;<>()$`]*[/\\])?{_PROGRAM}",
        )
        self._form = re.compile(
            rf"(?:& )?(?:{'|'.join(paths)})\s+hook\s+{re.escape(agent)}\s*", re.IGNORECASE
        )

    def __call__(self, command: object) -> bool:
        if not isinstance(command, str):
            return False
        return command in self._commands or self._form.fullmatch(command) is not None
