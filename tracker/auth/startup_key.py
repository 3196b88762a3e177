"""The key of its own that an ephemeral server writes into its ready file."""

from __future__ import annotations

from typing import Final

from tracker.auth.named_keys import NamedKeys
from tracker.domain.audit import SERVER
from tracker.domain.keys import KeySpec
from tracker.domain.principal import Role

_NAME: Final = "ready-file"


class StartupKey:
    """Made when the server starts: whatever `API_KEY` is, it is in no file."""

    def __init__(self, named: NamedKeys) -> None:
        self._named = named
        self.key = ""
        """Empty until then."""

    async def make(self) -> None:
        """Raises Unavailable."""
        self.key, _ = await self._named.create(KeySpec(_NAME, Role.ADMIN), SERVER)
