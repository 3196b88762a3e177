"""Opens the database: one connection that writes, several that read."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from agent_task_tracker.folders import MEMORY
from tracker.errors import ConfigError, InUse, NoRoom
from tracker.store.sqlite import bulk, migrations
from tracker.store.sqlite.lock import check_links
from tracker.store.sqlite.recovery import refuse_unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.config.settings import Durability


# Only the writer's thread uses its connection, so SQLite need not lock it for every call.
_WRITER_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX

# SQLite tells a quota or a limit on files from a disk that fails as little as we can.
NO_ROOM = "the disk is full, or a quota or limit is used up, or it fails"
_MAKE_ROOM = "make room (`tracker doctor` lists old copies beside the database)"

# Bytes that the index of a WAL takes at first.
_WAL_INDEX_BYTES = 32_768

# Of SQLite's virtual machine, when a server looks over its database at the start: about 0.2 s, in
# which it gets through half a gigabyte.
_CHECK_STEPS = 2_000_000

# How long a command waits for the server's transactions, and a server that starts for a command's.
_BUSY_TIMEOUT_MS = 30_000
_START_BUSY_TIMEOUT_MS = 5_000


def open_writer(
    path: Path | None, durability: Durability, vfs: str | None = None
) -> apsw.Connection:
    """The connection that writes, migrated. `path` None: in memory. `vfs` None: the usual.

    A file that is not ours is refused before anything is written to it.

    Raises:
        ConfigError: not a database, another program's, a newer tracker's, not readable.
    """
    name = MEMORY if path is None else str(path)
    with translate_errors(name):
        if path is not None and path.exists() and path.stat().st_size:
            _check_read_only(path)
        connection = apsw.Connection(
            name, _WRITER_FLAGS, vfs=vfs, statementcachesize=bulk.STATEMENTS
        )
        try:
            connection.set_busy_timeout(_START_BUSY_TIMEOUT_MS)
            version = migrations.check(connection, name)
            # Only counts before the first table is made; lets pruned space be given back.
            connection.pragma("auto_vacuum", "incremental")
            _sync_fully(connection)
            # The change to WAL is made by a rollback journal, whose end has to be durable too:
            # brought back by a power cut, it would undo the file that the WAL belongs to.
            connection.pragma("synchronous", "extra")
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", durability)
            connection.pragma("foreign_keys", True)
            connection.pragma("recursive_triggers", False)
            connection.pragma("cache_size", -16_384)
            connection.pragma("temp_store", "memory")
            migrations.migrate(connection, path, version)
        except BaseException:
            connection.close()
            raise
        return connection


def open_checkpointer(path: Path, vfs: str | None) -> apsw.Connection:
    """A connection that moves the WAL of `open_writer` into the database."""
    with translate_errors(str(path)):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        connection.set_busy_timeout(_START_BUSY_TIMEOUT_MS)
        _sync_fully(connection)
        # SQLite looks for the WAL when a connection first reads; without one it does nothing.
        migrations.check(connection, str(path))
        return connection


def open_existing(path: Path) -> apsw.Connection:
    """A connection to a database as it is, beside a server that may be running. Its transactions
    have to be small, or the server's reports wait for them.

    Raises:
        InUse: a restore is at work, or was broken off; or a server has it by another name.
        ConfigError: there is none, it cannot be used, or this version would have to change it.
    """
    if not _has_content(path):
        raise ConfigError(f"{path}: there is no database; choose another --db")
    refuse_unfinished(path)
    check_links(path)
    with translate_errors(str(path)):
        _check_read_only(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
            _check_is_newest(connection, path)
            # Now that a restore finds this connection, or this its note.
            refuse_unfinished(path)
            connection.pragma("foreign_keys", True)
            connection.pragma("recursive_triggers", False)
        except BaseException:
            connection.close()
            raise
        return connection


def open_read_only(path: Path) -> apsw.Connection:
    """A connection that leaves the file and its folder as they are.

    Without a WAL nobody writes, and SQLite is told so, or it would make one. A WAL is a running
    server's, or a killed one's, and has to be read along.
    """
    path = path.resolve()  # the WAL lies beside what links lead to
    if Path(f"{path}-wal").exists():
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(_START_BUSY_TIMEOUT_MS)
        return connection
    return apsw.Connection(
        f"{path.absolute().as_uri()}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )


def open_reader(path: Path) -> apsw.Connection:
    """A connection that can only read; it waits for nobody in WAL mode."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(1000)
    connection.pragma("cache_size", -4_096)
    return connection


@contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """A transaction that waits for others where it begins, and not where it first writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _sync_fully(connection: apsw.Connection) -> None:
    # On macOS an fsync ends in the drive's cache unless it is asked to go on from there.
    connection.pragma("fullfsync", True)


def _check_read_only(path: Path) -> None:
    """Look at the file without the right to change it, and leave nothing beside it if it is bad.

    Only a rollback journal, left by a power cut while the database was made, cannot be looked past:
    it is rolled back by whoever writes next, and then `open_writer` looks again.
    """
    if _has_content(Path(f"{path}-journal")):
        return
    index = Path(f"{path}-shm")
    had_index = index.exists()
    try:
        try:
            _check_content(path)
        except apsw.CorruptError:  # or another program was at it, and it was not unchanging
            _check_content(path)
    except apsw.BusyError:  # the index is another program's
        raise
    except BaseException:
        if not had_index:
            index.unlink(missing_ok=True)
        raise


def _check_content(path: Path) -> None:
    with closing(open_read_only(path)) as connection:
        migrations.check(connection, str(path))
        _check_pages(connection)


def _check_is_newest(connection: apsw.Connection, path: Path) -> None:
    if migrations.check(connection, str(path)) != migrations.newest():
        raise ConfigError(
            f"{path}: made by an older tracker; start the server once, which upgrades it"
        )


def _check_pages(connection: apsw.Connection) -> None:
    """Look for broken pages, as far as the start of a server may take."""
    connection.set_progress_handler(lambda: True, _CHECK_STEPS)
    try:
        problem = connection.execute("PRAGMA quick_check(1)").get
    except apsw.InterruptError:  # the rest is for `tracker doctor`
        return
    if problem != "ok":
        raise apsw.CorruptError(" ".join(problem.split()))


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """SQLite's refusal as the one line that the user reads. Raises InUse, NoRoom, ConfigError."""
    try:
        yield
    except apsw.BusyError:
        raise InUse(f"{name}: locked by another program; try again") from None
    except apsw.Error as error:
        if is_full(error, Path(name)):
            raise NoRoom(f"{name}: {NO_ROOM}; {_MAKE_ROOM}, then repeat this") from None
        reason = _error_text(error)
        if isinstance(error, apsw.CantOpenError) and not _is_ours(Path(name)):
            reason = os.strerror(errno.EACCES)
        raise ConfigError(f"{name}: cannot be used as the database: {reason}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{name}: not UTF-8, and SQLite takes no other name") from None


def _is_ours(path: Path) -> bool:
    """Whether the file, if it is there, can be read and written."""
    return not path.exists() or os.access(path, os.R_OK | os.W_OK)


def is_full(error: apsw.Error, path: Path) -> bool:
    """Whether that is for want of room on the disk of `path`. Of a full disk SQLite says so, unless
    it is the WAL's index that has no room: that cannot be opened or written, it says."""
    if isinstance(error, apsw.FullError) or is_refused_write(error):
        return True
    if not isinstance(error, apsw.IOError | apsw.CantOpenError):
        return False
    try:
        return shutil.disk_usage(path.absolute().parent).free < _WAL_INDEX_BYTES
    except OSError:
        return False


def is_refused_write(error: apsw.Error) -> bool:
    """Whether the system refused to write: what quotas and limits look like, but not they alone."""
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_WRITE


def _error_text(error: apsw.Error) -> str:
    """SQLite's words; of a copy that failed it says "not an error"."""
    text = str(error)
    return type(error).__name__ if "not an error" in text else " ".join(text.split())
