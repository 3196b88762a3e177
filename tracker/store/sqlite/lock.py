"""One server a database, whatever names and links lead to it.

Two locks. The one of the file `….lock` keeps others from the name, and from the WAL that belongs to
it. The other lies on the database file itself: it holds when the lock's file was removed, and for
every hard link. It is on a byte that SQLite never locks, so commands beside the server get theirs.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from tracker.errors import ConfigError, InUse

if sys.platform != "win32":
    import fcntl

    _SHARED: Final = fcntl.LOCK_SH | fcntl.LOCK_NB

logger = logging.getLogger(__name__)

# Far behind any content (SQLite's own locks lie at 2^30). Windows needs no such lock: an open file
# cannot be removed there.
_LOCK_BYTE: Final = 2**62

# What systems say of a byte that is locked; and those, or file systems, that know no such locks.
_LOCKED_ERRNOS: Final = (errno.EACCES, errno.EAGAIN)
_UNSUPPORTED_ERRNOS: Final = (
    errno.EINVAL,
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EOVERFLOW,
)


class DatabaseLock:
    """Holds a database for this process until it is released or the process ends."""

    def __init__(self, path: Path) -> None:
        """The database is made, empty and for its owner alone, if there is none.

        Raises:
            InUse: another server has it.
            ConfigError: it, or its folder, cannot be written.
        """
        self._path = path
        # mode: whoever can read it can hold it. thread_local: any thread may let go of it.
        self._name = FileLock(f"{path.resolve()}.lock", mode=0o600, thread_local=False)
        self._file = -1
        try:
            self._name.acquire(timeout=0)
            self._file = os.open(path.resolve(), os.O_RDWR | os.O_CREAT, 0o600)
            if sys.platform == "win32":  # or nothing could take its place in a restore
                self._close()
            self.confirm()
        except (Timeout, OSError) as error:
            self.release()
            if isinstance(error, Timeout):
                raise self._in_use() from None
            raise ConfigError(f"{path}: cannot be opened: {error.strerror or error}") from None
        except InUse:
            self.release()
            raise

    def confirm(self) -> None:
        """Hold it still, or again: without Linux's locks of open files, SQLite's closing a
        connection of this process takes it from us. Raises InUse."""
        if not _lock(self._file):
            raise self._in_use()

    def release(self) -> None:
        """Let others have it. SQLite's connections of this process have to be closed before."""
        self._close()
        self._name.release()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _in_use(self) -> InUse:
        return InUse(f"{self._path}: in use by another server; stop it or choose another --db")


def check_links(path: Path) -> None:
    """A WAL belongs to one of a database's names; by another one what is in it is not found, and
    what is written spoils the database. Warns if there are several.

    Raises:
        InUse: a server has the database by another name.
    """
    names = path.stat().st_nlink
    if names == 1:
        return
    if is_held(path) and not _is_name_held(path):
        raise InUse(f"{path}: in use by a server by another name (a hard link); give that name")
    logger.warning(
        "%s has %d names (hard links): use one of them alone. What a killed server left in the WAL "
        "is not found by another, and lost",
        path,
        names,
    )


def is_held(path: Path) -> bool:
    """Whether a server has the file as its database; no SQLite connection of this process may be
    open to it."""
    if sys.platform == "win32":
        return False
    return _is_locked(path, lambda file: fcntl.lockf(file, _SHARED, 1, _LOCK_BYTE))


def _is_name_held(path: Path) -> bool:
    if sys.platform == "win32":
        return True
    return _is_locked(Path(f"{path.resolve()}.lock"), lambda file: fcntl.flock(file, _SHARED))


def _is_locked(path: Path, lock: Callable[[int], None]) -> bool:
    """Whether somebody has this lock on the file, which may not be there, or not open to us."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe
        try:
            lock(descriptor)
        except OSError as error:
            return error.errno in _LOCKED_ERRNOS
        finally:
            os.close(descriptor)
    return False


def _lock(descriptor: int) -> bool:
    """Whether it could be had, or cannot be had here by anybody."""
    if sys.platform == "win32":
        return True
    try:
        try:
            # struct flock, as fcntl(2) has it: type, whence, start, length, pid.
            wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _LOCK_BYTE, 1, 0)
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _UNSUPPORTED_ERRNOS:
                raise
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_BYTE)
    except OSError as error:
        if error.errno in _LOCKED_ERRNOS:
            return False
        if error.errno not in _UNSUPPORTED_ERRNOS:
            raise
    return True
