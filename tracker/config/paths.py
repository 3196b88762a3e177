"""Paths of the database, of its keys, and of the ready file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent_task_tracker.files import MAX_READY_FILE_BYTES, read_regular
from agent_task_tracker.folders import MEMORY
from agent_task_tracker.keys import API_KEY_SUFFIX
from tracker.config.settings import Settings, default_database
from tracker.errors import ConfigError, StartupError
from tracker.text import is_unicode

SIGNING_KEY_SUFFIX: Final = "secret-key"
KEPT_SUFFIXES: Final = (API_KEY_SUFFIX, SIGNING_KEY_SUFFIX)


def locate(db: str | None) -> Path | None:
    """The database's file; None: in memory.

    Raises:
        ConfigError: it has no directory, or one that cannot be written, or no name for SQLite.
    """
    if db == MEMORY:
        return None
    if db is None:
        db = str(default_database())
        folder = Path(db).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{folder}: the directory cannot be made: {error.strerror or error}; choose "
                "another --db"
            ) from None
    path = _writable(db, "--db")
    if not is_unicode(str(path)):
        raise ConfigError(f"{path}: not UTF-8, and SQLite takes no other name; choose another --db")
    return path


def locate_ready_file(name: str | None) -> Path | None:
    """The ready file's path; None: no ready file.

    Raises:
        ConfigError: its directory does not exist or cannot be written, or there is another file.
    """
    path = None if name is None else _writable(name, "--ready-file")
    if path is not None:
        check_ready_file(path)
    return path


@contextlib.contextmanager
def without_old_ready_file(settings: Settings) -> Iterator[None]:
    """Remove what an earlier server left, in the block: who waits for this one must not find the
    other. If this one cannot start, and the other has the same database, its file is back: it may
    well run, and be the reason.

    Raises:
        ConfigError: see `locate_ready_file`; it cannot be removed.
    """
    path = locate_ready_file(settings.ready_file)
    old, mode = b"", 0
    if path is not None and path.exists():
        try:
            old, mode = read_regular(path, MAX_READY_FILE_BYTES), path.stat().st_mode
            if old:  # an empty file may be of somebody else
                path.unlink()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be replaced: {error.strerror or error}") from None
    try:
        yield
    except StartupError:
        is_same = not settings.ephemeral and old and json.loads(old).get("db") == _named(settings)
        if path is not None and is_same:
            with contextlib.suppress(OSError):  # there is another by now, or the folder has gone
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(old)
        raise


def _named(settings: Settings) -> str | None:
    """The database as ready files name it; None: in memory, so no other server has the same."""
    database = locate(settings.db)
    return None if database is None else str(database)


def check_ready_file(path: Path) -> None:
    """Raises ConfigError if that is a link, or a file that is neither empty nor a ready file: the
    server replaces it, and removes it in the end."""
    if path.is_symlink():
        raise ConfigError(f"{path}: a link; choose another --ready-file")
    try:
        content = read_regular(path, MAX_READY_FILE_BYTES)
        found = json.loads(content) if content else {"url": "", "pid": 0}
        is_ready_file = isinstance(found, dict) and {"url", "pid"} <= found.keys()
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise ConfigError(f"{path}: {error.strerror}; choose another --ready-file") from None
    except (OSError, ValueError, RecursionError):
        is_ready_file = False
    if not is_ready_file:
        raise ConfigError(f"{path}: is there, and no ready file; choose another --ready-file")


def _writable(name: str, flag: str) -> Path:
    try:
        path = Path(name).absolute()
    except OSError:
        raise ConfigError(f"{name}: the working directory is gone; change to another") from None
    try:
        # Not a device: a restore would replace even /dev/null by its copy.
        is_file_name = bool(name) and (path.is_file() or not path.exists())
        has_folder = path.parent.is_dir()
    except OSError as error:  # the name is too long, or a folder of the path is not accessible
        raise ConfigError(f"{path}: cannot be used: {error.strerror or error}") from None
    if not is_file_name:
        raise ConfigError(f"{path if name else flag}: this has to be a file")
    if not has_folder:
        raise ConfigError(f"{path}: the directory does not exist; make it or choose another {flag}")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: the directory cannot be written; choose another {flag}")
    return path
