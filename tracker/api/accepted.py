"""Tells the connection below that a request on it had an accepted key, if it wants to know: one
whose last request had none is among the first to be closed when there are many
(`tracker.server.slots`)."""

from __future__ import annotations

from typing import Any, Final

ACCEPTED: Final = "tracker.accepted"
"""In an ASGI scope's extensions: a function to call then."""


def say_accepted(scope: dict[str, Any]) -> None:
    """The request of this scope had an accepted key, or a browser session."""
    accepted = scope.get("extensions", {}).get(ACCEPTED)
    if accepted is not None:
        accepted()
