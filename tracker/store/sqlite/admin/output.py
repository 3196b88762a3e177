"""Files that a command writes: never over a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker import files
from tracker.errors import ConfigError
from tracker.store.sqlite.lock import is_held
from tracker.store.sqlite.sidecars import SIDECARS, files_of


@contextmanager
def output_file(target: Path, database: Path, *, force: bool) -> Iterator[Path]:
    """See `tracker.files.replacing`: for a copy or an export of `database`, none of whose files is
    ever replaced, whatever name or link leads to it, nor any that a server has. Raises ConfigError,
    NoRoom."""
    _refuse_held(target)
    with files.replacing(target, force=force, protected=files_of(database)) as part:
        yield part


def _refuse_held(target: Path) -> None:
    if not target.name:
        raise ConfigError(f"{target}: a folder; give the name of a file")
    database = target
    for end in SIDECARS:
        database = database.with_name(database.name.removesuffix(end) or database.name)
    if any(is_held(path) for path in {target, database}):
        raise ConfigError(
            f"{target}: in use as the database of a running server; choose another name"
        )
