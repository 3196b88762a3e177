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

    def __init__(self, text: str, *, may_be_added_to: bool = False) -> None:
        """`may_be_added_to`: the name is that of the user's own configuration, where there was none
        yet."""
        self._content = text.encode()
        self._may_be_added_to = may_be_added_to

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
        if not _is_ours(content):
            return content
        if self._may_be_added_to:
            raise Unsuitable("it was changed since it was made")
        return None

    def snippet(self) -> str:
        """See `Editor`."""
        return self._content.decode()


def _is_ours(content: bytes) -> bool:
    return MARK.encode() in b"\n".join(content.split(b"\n")[:_LINES])
