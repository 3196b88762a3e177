"""Copies of a database, taken while reports keep coming.

A copy is one file that SQLite has checked. It appears under its name at once and whole, or not at
all. The keys beside a database are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tracker import files
from tracker.errors import ConfigError
from tracker.store.sqlite import migrations
from tracker.store.sqlite.admin import checks
from tracker.store.sqlite.admin.output import output_file
from tracker.store.sqlite.connection import open_existing, open_read_only, translate_errors
from tracker.store.sqlite.lock import check_links
from tracker.store.sqlite.recovery import COMPANIONS

Progress = Callable[[int, int], None]
"""Called with the number of pages copied, and of all pages."""

# Pages between two calls of Progress.
_PAGES_PER_STEP = 1024


def back_up(path: Path, target: Path, progress: Progress, *, force: bool) -> dict[str, Any]:
    """Copy the database at `path`, as it is at this moment, to the file `target`; return its
    contents (`checks.contents`). `force`: replace an existing file.

    Raises:
        ConfigError: there is no such database, the copy cannot be written, or is not sound.
        NoRoom: the disk is full.
    """
    _refuse_companions(target)
    with output_file(target, path, force=force) as part:
        with closing(open_existing(path)) as source, translate_errors(str(target)):
            # A read transaction: without it every report would make the copy begin again.
            source.execute("BEGIN")
            _copy(source, part, progress)
        return check_copy(part, target, progress)


def copy_into(part: Path, source: Path, progress: Progress) -> None:
    """Copy the database in the file `source`, and bring the copy to this version.

    Raises:
        ConfigError: it is not a tracker's database.
        InUse: a server has it by another name.
    """
    with translate_errors(str(source)), closing(open_read_only(source)) as connection:
        version = _version(connection, source)
        _copy(connection, part, progress)
    with closing(apsw.Connection(str(part))) as copy:
        migrations.run(copy, version)


def check_ours(source: Path) -> None:
    """Raises ConfigError, InUse: see `copy_into`."""
    check_links(source)
    with translate_errors(str(source)), closing(open_read_only(source)) as connection:
        _version(connection, source)


def check_copy(part: Path, name: Path, progress: Progress) -> dict[str, Any]:
    """What the copy holds. Raises ConfigError: it is not sound, or not of this version."""
    with closing(open_read_only(part)) as connection:
        pages = connection.pragma("page_count")
        checks.watched(connection, lambda: progress(pages, pages))
        problems = checks.problems(connection)
        if problems:
            raise ConfigError(f"{name}: the copy is not sound: {problems[0]}")
        return checks.contents(connection)


def _version(connection: apsw.Connection, source: Path) -> int:
    version = migrations.check(connection, str(source))
    if version == 0:
        raise ConfigError(f"{source}: this is no backup of a tracker's database")
    return version


def _refuse_companions(target: Path) -> None:
    """SQLite would take what another database left beside `target` for the copy's own. It may be
    all that is left of that one, so it is not removed. Raises ConfigError.
    """
    for companion in (Path(f"{target}{end}") for end in COMPANIONS):
        with files.translate_errors(target):
            found = companion.exists() and companion.stat().st_size
        if found:
            raise ConfigError(
                f"{companion}: left by another database, and would become a part of the copy; "
                "choose another name, or remove it"
            )


def _copy(source: apsw.Connection, part: Path, progress: Progress) -> None:
    with closing(apsw.Connection(str(part))) as target:
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_PAGES_PER_STEP)
                progress(backup.page_count - backup.remaining, backup.page_count)
        target.pragma("journal_mode", "delete")  # one file, complete without a WAL
