"""What is stored of browser sessions; `tracker.auth.sessions` issues them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class EndedSessions(NamedTuple):
    """The sessions that ended before they expired."""

    epoch: str
    """Sessions of any other epoch have ended."""

    revoked: Mapping[str, int]
    """Ids of revoked sessions, and when each expires, in milliseconds since the Unix epoch."""
