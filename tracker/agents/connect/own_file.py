"""A file that is ours altogether."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tracker.agents.connect.editors import Edited, Unsuitable

# In the first lines of each such file.
MARK: Final = "agent-task-tracker"
_LINES: Final = 5


class OwnFile:
    """A file with our mark in its first lines, under a name that is free or ours."""

    def __init__(self, text: str) -> None:
        self._content = text.encode()

    def count(self, content: bytes) -> int:
        """See `Editor`."""
        return int(_is_ours(content))

    def is_current(self, content: bytes) -> bool:
        """See `Editor`."""
        return content == self._content

    def add(self, content: bytes | None) -> Edited:
        """See `Editor`. There is none, or ours was removed from it."""
        if content is not None:
            raise Unsuitable("it is there already, and is not of this program")
        return Edited(self._content, [(0, len(self._content))])

    def remove(self, content: bytes, containers: Collection[str], *, made: bool) -> bytes | None:  # noqa: ARG002
        """See `Editor`."""
        return None if _is_ours(content) else content

    def snippet(self) -> str:
        """See `Editor`."""
        return self._content.decode()


def _is_ours(content: bytes) -> bool:
    return MARK.encode() in b"\n".join(content.split(b"\n")[:_LINES])
