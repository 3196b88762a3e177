"""What keeps an agent from being connected."""

from __future__ import annotations

from tracker.errors import ConfigError


class CannotEdit(ConfigError):
    """A file of an agent's configuration is not touched: the text says which and why. `snippet`:
    what to add to it by hand, if that is the way out."""

    def __init__(self, message: str, snippet: str | None = None) -> None:
        super().__init__(message)
        self.snippet = snippet


class ChangedMeanwhile(Exception):
    """Somebody wrote the file between its being read and its being replaced."""
