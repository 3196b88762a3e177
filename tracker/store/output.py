"""Files that a command writes beside a database: never onto one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker import files
from tracker.keys import KEPT_SUFFIXES, kept_in


@contextmanager
def output_file(target: Path, database: Path, *, force: bool) -> Iterator[Path]:
    """See `tracker.files.replacing`: for a copy or an export of `database`, none of whose files is
    ever replaced, whatever name or link leads to it. Raises ConfigError, NoRoom."""
    with files.replacing(target, force=force, protected=files_of(database)) as part:
        yield part


def files_of(database: Path) -> list[Path]:
    """The files that belong to a database, whether they exist or not."""
    beside = [Path(f"{database}{end}") for end in ("", "-wal", "-shm", "-journal", ".lock")]
    return [*beside, *(kept_in(database, suffix) for suffix in KEPT_SUFFIXES)]
