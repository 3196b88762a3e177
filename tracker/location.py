"""Where the files are that the server is told of: the database, the ready file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from tracker.errors import ConfigError
from tracker.settings import default_database

MEMORY: Final = ":memory:"


def locate(db: str | None) -> Path | None:
    """The database's file; None: in memory.

    Raises:
        ConfigError: it has no directory, or one that cannot be written.
    """
    if db == MEMORY:
        return None
    if db is None:
        db = str(default_database())
        with contextlib.suppress(OSError):  # told below
            Path(db).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _writable(db, "--db")


def locate_ready_file(name: str | None) -> Path | None:
    """Where to write that the server listens; None: nowhere.

    Raises:
        ConfigError: it has no directory, or one that cannot be written; or it is a link.
    """
    path = None if name is None else _writable(name, "--ready-file")
    if path is not None and path.is_symlink():
        raise ConfigError(f"{path}: a link; choose another --ready-file")
    return path


def _writable(name: str, flag: str) -> Path:
    path = Path(name).absolute()
    if not name or path.is_dir():
        raise ConfigError(f"{path if name else flag}: this has to be a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the directory does not exist; make it or choose another {flag}")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: the directory cannot be written; choose another {flag}")
    return path
