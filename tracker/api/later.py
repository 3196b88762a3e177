"""What a start need not wait for is imported soon after: while a server runs, its package may be
upgraded, and what an executable has unpacked may be cleaned away."""

from __future__ import annotations

from importlib import import_module
from typing import Final

_MODULES: Final = (
    "encodings.unicode_escape",  # for what is escaped in the log
    "pydantic.dataclasses",  # pydantic imports it when the document is made
    "tracker.api.openapi.document",
    "tracker.api.mcp_backend",
)


def load() -> None:
    """Import it. Takes some milliseconds."""
    for name in _MODULES:
        import_module(name)
