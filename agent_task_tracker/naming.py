"""A task's id, where its title names it."""

from __future__ import annotations

import hashlib
from typing import Final

_MAX_ID: Final = 255


def id_of(title: str) -> str:
    """The title itself. A long one is told from others by its hash."""
    if len(title) <= _MAX_ID:
        return title
    digest = hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{title[: _MAX_ID - 17]}-{digest}"
