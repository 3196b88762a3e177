"""The keys and the audit log of a stopped server, in its database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tracker.cli.actor import this_user
from tracker.clock import SystemClock
from tracker.domain import key_answers
from tracker.domain.audit import AuditQuery
from tracker.store.sqlite.admin.keys import DatabaseKeys

Json = dict[str, Any]


class KeyDatabase:
    """Looks into a database. Raises StartupError, TrackerError."""

    def __init__(self, path: Path) -> None:
        self._keys = DatabaseKeys(path, this_user(), SystemClock())

    def keys(self) -> list[Json]:
        """See `tracker.cli.keyholders.KeyHolder`."""
        return [cast("Json", key_answers.key(stored)) for stored in self._keys.stored()]

    def create(
        self, name: str, role: str, projects: Sequence[str], expires_in_ms: int | None
    ) -> Json:
        """See `tracker.cli.keyholders.KeyHolder`."""
        made = self._keys.create(name, role, projects, expires_in_ms)
        return cast("Json", key_answers.new_key(*made))

    def rotate(self, name: str, overlap_ms: int) -> Json:
        """See `tracker.cli.keyholders.KeyHolder`."""
        return cast("Json", key_answers.new_key(*self._keys.rotate(name, overlap_ms)))

    def revoke(self, name: str) -> None:
        """See `tracker.cli.keyholders.KeyHolder`."""
        self._keys.revoke(name)

    def audit(self, query: AuditQuery) -> Json:
        """See `tracker.cli.keyholders.KeyHolder`."""
        return cast("Json", key_answers.audit(self._keys.audit(query)))
