"""Opens the database: one connection that writes, several that read, and one lock on it all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
from filelock import FileLock, Timeout

from tracker.errors import ConfigError, InUse
from tracker.store import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.settings import Durability

MEMORY = ":memory:"


def lock(path: Path) -> FileLock:
    """Hold the database for this process; released when the process ends, however it ends.

    Raises:
        InUse: another server has it.
        ConfigError: the directory cannot be written.
    """
    held = FileLock(f"{path}.lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise InUse(f"{path}: in use by another server; stop it or choose another --db") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror or error}") from None
    return held


def open_writer(path: Path | None, durability: Durability) -> apsw.Connection:
    """The connection that writes, migrated. `path` None: in memory.

    A file that is not ours is refused before anything is written to it.

    Raises:
        ConfigError: not a database, another program's, a newer tracker's, not readable.
    """
    name = MEMORY if path is None else str(path)
    with _one_line(name):
        if path is not None and path.exists() and path.stat().st_size:
            _check_untouched(path)
        connection = apsw.Connection(name)
        try:
            # Only counts before the first table is made; lets pruned space be given back.
            connection.pragma("auto_vacuum", "incremental")
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", durability)
            connection.pragma("foreign_keys", True)
            connection.pragma("recursive_triggers", False)
            connection.pragma("cache_size", -32_768)
            connection.pragma("temp_store", "memory")
            migrations.migrate(connection, path, migrations.check(connection, name))
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that can only read; it waits for nobody in WAL mode."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(1000)
    connection.pragma("cache_size", -8_192)
    return connection


def _check_untouched(path: Path) -> None:
    """Look at the file without the right to change it.

    A WAL left by a killed server has to be replayed to be read, which SQLite does beside the file:
    read-only access to it needs the directory to be writable, as the server does anyway.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        migrations.check(connection, str(path))
    finally:
        connection.close()


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """SQLite's refusal as the one line that the user reads."""
    try:
        yield
    except apsw.BusyError:
        raise InUse(f"{name}: locked by another program; try again") from None
    except apsw.Error as error:
        raise ConfigError(f"{name}: cannot be used as the database: {error}") from None
