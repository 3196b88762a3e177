"""The keys and the audit log of a database whose server is stopped.

A running server has its keys in memory and would not hear of a change, so a database that somebody
has is refused: keys are made, rotated and revoked by asking its server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from agent_task_tracker.proof import secret_of
from tracker.clock import Clock
from tracker.domain import keys as domain
from tracker.domain.audit import Actor, AuditPage, AuditQuery
from tracker.domain.keys import StoredKey
from tracker.errors import InUse
from tracker.store.sqlite import audit, keys
from tracker.store.sqlite.connection import immediate, open_existing, translate_errors
from tracker.store.sqlite.lock import DatabaseLock

if TYPE_CHECKING:
    import apsw

# Seconds that a command waits for another one to be done, and between two looks. What has the
# database for longer is a server.
_PATIENCE: Final = 2.0
_PAUSE: Final = 0.05

_EXPIRING = "SELECT name, expires_at FROM keys WHERE expires_at < ? ORDER BY expires_at, name"


class ExpiringKey(NamedTuple):
    """A key that ends, or has ended, at a time in milliseconds."""

    name: str
    expires_at: int


class DatabaseKeys:
    """What is done to keys, in the database's file. Everything raises InUse, ConfigError, NoRoom:
    somebody has the database, there is none or it cannot be used, the disk is full."""

    def __init__(self, path: Path, by: Actor, clock: Clock) -> None:
        """`by`: whom the audit log names."""
        self._path = path
        self._by = by
        self._clock = clock

    def stored(self) -> Sequence[StoredKey]:
        """All of them, by name."""
        with self._transaction() as connection:
            return keys.read(connection)

    def create(
        self, name: str, role: str, projects: Sequence[str], expires_in_ms: int | None
    ) -> tuple[str, StoredKey]:
        """A new key, to be shown once; no projects: all of them. Raises ValidationFailed,
        Conflict."""
        now, key = self._clock.now_ms(), domain.generate()
        spec = domain.key_spec(name, role, projects, expires_in_ms, now)
        with self._transaction() as connection:
            return key, keys.add(connection, now, spec, secret_of(key), self._by)

    def rotate(self, name: str, overlap_ms: int) -> tuple[str, StoredKey]:
        """Another secret for a key; the one before goes on for so many milliseconds. Raises
        NotFound, ValidationFailed."""
        domain.check_overlap(overlap_ms)
        now, key = self._clock.now_ms(), domain.generate()
        with self._transaction() as connection:
            digest = secret_of(key)
            return key, keys.rotate(connection, now, _text(name), digest, overlap_ms, self._by)

    def revoke(self, name: str) -> None:
        """Forget a key. Raises NotFound."""
        with self._transaction() as connection:
            keys.revoke(connection, self._clock.now_ms(), _text(name), self._by)

    def audit(self, query: AuditQuery) -> AuditPage:
        """The newest entries of the audit log."""
        with self._transaction() as connection:
            name = None if query.name is None else _text(query.name)
            return audit.page(connection, query._replace(name=name))

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        open_existing(self._path).close()  # before the lock, which makes a database and a file
        lock = self._lock()
        try:
            with (
                closing(open_existing(self._path)) as connection,
                translate_errors(str(self._path)),
            ):
                connection.pragma("synchronous", "full")  # a key that was shown is there to stay
                lock.confirm()
                with immediate(connection):
                    yield connection
        finally:
            lock.release()

    def _lock(self) -> DatabaseLock:
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                return DatabaseLock(self._path)
            except InUse:
                if self._clock.monotonic() > deadline:
                    raise InUse(
                        f"{self._path}: in use by a server, which has its keys in memory: give "
                        "that server's address, by --url, --ready-file or TRACKER_URL"
                    ) from None
            time.sleep(_PAUSE)


def _text(name: str) -> str:
    """A name as SQLite takes it. Lone surrogates, as in arguments that are not UTF-8, become
    question marks, which no key's name has."""
    return name.encode("utf-8", "replace").decode()


def expiring(path: Path, before: int) -> list[ExpiringKey]:
    """The keys that end `before` a time in milliseconds, or have ended; beside a server, or without
    one. Raises InUse, ConfigError."""
    with translate_errors(str(path)), closing(open_existing(path)) as connection:
        return [ExpiringKey._make(row) for row in connection.execute(_EXPIRING, (before,))]
