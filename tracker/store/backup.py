"""Copies of a database: taken while reports keep coming, and put back.

A copy is one file that SQLite has checked. It appears under its name at once and whole, or not at
all. The keys beside a database are no part of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from tracker.errors import ConfigError
from tracker.store import checks, events, migrations
from tracker.store.connection import lock, one_line, open_existing, open_unchanging

Progress = Callable[[int, int], None]
"""Told how many pages are done, of how many."""

# Pages between two words on progress.
_PAGES_AT_ONCE = 1024

# Every cursor from before is told to read afresh: the log that it followed is not this one. Numbers
# go on after the newest of both, so that none is given twice.
_BEGIN_AFTER = (
    "UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = 'events'",
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', :last"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
    "UPDATE marks SET pruned = (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
)


class Restored(NamedTuple):
    """What a restored database holds, and where the one before it went; None: there was none."""

    contents: dict[str, Any]
    kept: Path | None


def back_up(path: Path, target: Path, progress: Progress) -> dict[str, Any]:
    """Copy the database at `path`, as it is at this moment, to the file `target`; what it holds.

    Raises:
        ConfigError: there is no such database, the copy cannot be written, or is not sound.
    """
    with (
        closing(open_existing(path)) as source,
        _unfinished(target) as part,
        one_line(str(target)),
    ):
        # A read transaction: without it every report would make the copy begin again.
        source.execute("BEGIN")
        _copy(source, part, progress)
        return _check(part, target)


def restore(path: Path, source: Path, progress: Progress) -> Restored:
    """Put a copy in the place of the database at `path`, which is kept beside it.

    Raises:
        InUse: a server has the database.
        ConfigError: `source` is no sound database of ours, or cannot be put in place.
    """
    if not source.is_file():
        raise ConfigError(f"{source}: there is no such file")
    held = lock(path)
    try:
        with _unfinished(path) as part, one_line(str(source)):
            with closing(open_unchanging(source)) as connection:
                if migrations.check(connection, str(source)) == 0:
                    raise ConfigError(f"{source}: this is no backup of a tracker's database")
                _copy(connection, part, progress)
            with closing(apsw.Connection(str(part))) as copy:
                for sql in _BEGIN_AFTER:
                    copy.execute(sql, {"last": _last_id(path)})
            contents = _check(part, source)
            kept = _set_aside(path)
        return Restored(contents, kept)
    finally:
        held.release()


def _copy(source: apsw.Connection, part: Path, progress: Progress) -> None:
    with closing(apsw.Connection(str(part))) as target:
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_PAGES_AT_ONCE)
                progress(backup.page_count - backup.remaining, backup.page_count)
        target.pragma("journal_mode", "delete")  # one file, complete without a WAL


def _check(part: Path, name: Path) -> dict[str, Any]:
    with closing(open_unchanging(part)) as connection:
        problems = checks.problems(connection)
        if problems:
            raise ConfigError(f"{name}: the copy is not sound: {problems[0]}")
        return checks.contents(connection)


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place in the end, durably, or is removed."""
    part = target.with_name(f"{target.name}.unfinished")
    try:
        part.unlink(missing_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        for leftover in (part, Path(f"{part}-journal"), Path(f"{part}-wal"), Path(f"{part}-shm")):
            leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _last_id(path: Path) -> int:
    """The newest number that the database at `path` has given; 0 if that cannot be known."""
    try:
        with closing(open_unchanging(path)) as connection:
            return events.last_id(connection)
    except apsw.Error:
        return 0


def _set_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.before-restore-{moment}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    wal = Path(f"{path}-wal")
    path.rename(kept)
    if wal.exists():  # a killed server's: belongs to the file it stands beside
        wal.rename(f"{kept}-wal")
    return kept
