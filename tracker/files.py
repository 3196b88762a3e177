"""Files that are written atomically and durably.

Files are private to their owner (0600). They are written beside the target, then renamed to it: a
link is never written through, and a process that has the old file open keeps it as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tracker.errors import ConfigError, NoRoom

# Suffix of a file that is not finished. `tracker doctor` lists those that a killed command left
# beside the database.
UNFINISHED: Final = ".unfinished"

_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(target: Path, *, force: bool, protected: Iterable[Path] = ()) -> Iterator[Path]:
    """An empty file beside `target`, which replaces it at the end of the block, unless that fails.
    `force`: there may be a file already.

    Raises:
        ConfigError: `target` is one of the `protected` files (whatever its name), a link, no
            regular file, exists without `force`, or cannot be written.
        NoRoom: the disk is full.
    """
    _check_target(target, force=force, protected=protected)
    with translate_errors(target):
        descriptor, name = tempfile.mkstemp(
            prefix=f"{target.name}.", suffix=UNFINISHED, dir=target.parent
        )
        os.close(descriptor)
    part = Path(name)
    try:
        with translate_errors(target):
            yield part
            sync(part)
            if force:
                part.replace(target)
            else:  # it may exist by now
                put_new(part, target)
            sync_folder(target.parent)
    finally:
        for leftover in (part, *(Path(f"{part}{end}") for end in ("-journal", "-wal", "-shm"))):
            leftover.unlink(missing_ok=True)


def make_private(path: Path) -> None:
    """Make an empty file private to its owner, in place of any that is there. Raises OSError."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def identity(path: Path) -> tuple[int, int, int]:
    """Identifies a file; an inode number alone may be reused once the file is gone. Raises
    OSError."""
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def put_new(part: Path, target: Path) -> None:
    """Give `part` the name `target`, which must be free. Raises FileExistsError, OSError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: check, then rename
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.replace(target)
    else:
        part.unlink()


def sync(path: Path) -> None:
    """Flush the file's content to the disk. Raises OSError."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the folder's entries to the disk. Raises OSError."""
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def translate_errors(name: Path | str) -> Iterator[None]:
    """Turn a failure of the file system into one line for the user. Raises ConfigError, NoRoom."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise NoRoom(f"{name}: the disk is full; make room, then repeat this") from None
        raise ConfigError(f"{name}: cannot be written: {error.strerror or error}") from None


def _check_target(target: Path, *, force: bool, protected: Iterable[Path]) -> None:
    with translate_errors(target):
        try:
            found = target.lstat()
        except FileNotFoundError:
            return
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{target}: a link, a folder or a device; give the name of a file")
    for path in protected:
        if path.exists() and path.samefile(target):
            raise ConfigError(f"{target}: this is {path}, which is in use; choose another name")
    if not force:
        raise ConfigError(f"{target}: exists; choose another name, or replace it with --force")
