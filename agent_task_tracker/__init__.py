"""The Python SDK, and pytest's plugin: what users' code imports.

    from agent_task_tracker import Client, ClientError, Refused, Unreachable

Standard library only, and nothing of `tracker`: a project's own `tracker.py` may have that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_task_tracker.errors import (
    ClientError,
    NoTracker,
    Refused,
    TooLarge,
    Unreachable,
    Unverified,
)

if TYPE_CHECKING:
    from agent_task_tracker.client import Client
else:

    def __getattr__(name: str) -> Any:
        """Import the client on first use: every run of pytest loads the plugin, few need a
        client."""
        if name != "Client":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from agent_task_tracker.client import Client  # noqa: PLC0415

        return Client


__all__ = [
    "Client",
    "ClientError",
    "NoTracker",
    "Refused",
    "TooLarge",
    "Unreachable",
    "Unverified",
]
