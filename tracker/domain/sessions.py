"""What is kept of browser sessions; `tracker.auth.sessions` issues them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Ended(NamedTuple):
    """Which sessions ended before their time."""

    epoch: str
    """Those of any other are over."""

    revoked: Mapping[str, int]
    """Ids, and when they would end by themselves, in milliseconds since the epoch."""
