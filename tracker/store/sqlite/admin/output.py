"""Files that a command writes beside a database: never onto one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tracker import files
from tracker.auth.keys import KEPT_SUFFIXES, kept_in
from tracker.errors import ConfigError
from tracker.store.sqlite.lock import is_held

# SQLite's own files beside a database.
_SQLITES: Final = ("-wal", "-shm", "-journal")


@contextmanager
def output_file(target: Path, database: Path, *, force: bool) -> Iterator[Path]:
    """See `tracker.files.replacing`: for a copy or an export of `database`, none of whose files is
    ever replaced, whatever name or link leads to it, nor any that a server has. Raises ConfigError,
    NoRoom."""
    _refuse_held(target)
    with files.replacing(target, force=force, protected=files_of(database)) as part:
        yield part


def files_of(database: Path) -> list[Path]:
    """The files that belong to a database, whether they exist or not."""
    itself = database.resolve()  # SQLite's own lie beside what links lead to
    beside = [Path(f"{itself}{end}") for end in ("", *_SQLITES, ".lock")]
    return [*beside, *(kept_in(database, suffix) for suffix in KEPT_SUFFIXES)]


def _refuse_held(target: Path) -> None:
    database = target
    for end in _SQLITES:
        database = database.with_name(database.name.removesuffix(end) or database.name)
    if any(is_held(path) for path in {target, database}):
        raise ConfigError(
            f"{target}: in use as the database of a running server; choose another name"
        )
