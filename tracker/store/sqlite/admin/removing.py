"""Removing a database, with all that belongs to it."""

from __future__ import annotations

from pathlib import Path

from tracker.files import translate_errors
from tracker.store.sqlite.admin.leftovers import leftovers
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.sidecars import files_of


def remove(path: Path) -> list[Path]:
    """Remove the database's files, its keys and what was kept beside it; returns these.

    Raises:
        InUse: a server has it.
        ConfigError: a file cannot be removed.
    """
    lock = DatabaseLock(path)
    try:
        beside = [leftover.file for leftover in leftovers(path)]
        present = [file for file in (*files_of(path), *beside) if file.exists()]
        for file in present:
            with translate_errors(file):
                file.unlink(missing_ok=True)
    finally:
        lock.release()
    Path(f"{path.resolve()}.lock").unlink(missing_ok=True)
    return present
