"""Brings a database to the newest version, one committed step after the other; a new one at once.

Step N is the file `000N_….sql` beside this one. A step and the record that it ran (SQLite's
`user_version`) commit together. A database that is upgraded, rather than made, is copied first; the
log says where to, and how to go back.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import apsw

from tracker import files
from tracker.errors import ConfigError, NoRoom

logger = logging.getLogger(__name__)

# "ATT1" in ASCII: tells our files from other programs' databases.
APPLICATION_ID = 0x41545431

# Bytes that the steps themselves may take, in the WAL and in the database.
_ROOM_FOR_STEPS = 16 * 2**20

# Seconds between two lines of the log about an upgrade, and steps of SQLite's virtual machine
# between two looks at the clock.
_LOG_INTERVAL = 5.0
_STEPS = 1_000_000


def steps() -> list[str]:
    """The SQL of every step, in order."""
    files = (f for f in resources.files(__name__).iterdir() if f.name.endswith(".sql"))
    return [f.read_text(encoding="utf-8") for f in sorted(files, key=lambda f: f.name)]


def newest() -> int:
    """The version that this tracker brings a database to."""
    return len(steps())


def check_ours(connection: apsw.Connection, name: str) -> int:
    """The version of the database, perhaps a newer tracker's; writes nothing.

    Raises:
        ConfigError: another program's database.
    """
    version = int(connection.pragma("user_version"))
    application = connection.pragma("application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (tables or application or version):
        raise ConfigError(f"{name}: the database of another program; choose another --db")
    return version


def check(connection: apsw.Connection, name: str) -> int:
    """The version of the database; writes nothing.

    Raises:
        ConfigError: another program's database, or one made by a newer tracker.
    """
    version = check_ours(connection, name)
    if version > newest():
        raise ConfigError(
            f"{name}: made by a newer tracker (schema {version}, this one knows {newest()}); "
            "upgrade the tracker or choose another --db"
        )
    return version


def migrate(connection: apsw.Connection, path: Path | None, version: int) -> None:
    """Run the steps that `connection`, at `version`, has not seen. `path` None: in memory.

    Raises:
        NoRoom: the disk has none for the copy and the upgrade; nothing was changed.
    """
    if path is None or version in (0, newest()):
        run(connection, version)
        return
    logger.warning("Upgrading %s from schema %d to %d; first it is copied", path, version, newest())
    copy = _copy(connection, path, version)
    try:
        with _watched(connection, lambda: f"Upgrading {path}: it goes on"):
            run(connection, version)
    except BaseException:
        if connection.pragma("user_version") == version:  # nothing has changed
            copy.unlink()
        raise
    logger.warning(
        "Upgraded %s to schema %d. As it was before, it is %s: to go back, stop the server and "
        "have the older tracker restore that. `tracker prune --upgrade-copies` removes it",
        path,
        newest(),
        copy,
    )


def run(connection: apsw.Connection, version: int) -> None:
    """Run the steps that come after `version`. Those that make a database commit together: each
    commit waits for the disk, and there is nothing that the WAL could grow by."""
    left = steps()[version:]
    for together in [left] if version == 0 else [[sql] for sql in left]:
        version += len(together)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for sql in together:
                connection.execute(sql)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has rolled back by itself
                connection.execute("ROLLBACK")
            raise


def copies(path: Path) -> list[Path]:
    """The copies that upgrades of the database at `path` have made."""
    pattern = re.compile(rf"{re.escape(path.name)}\.v\d+(\.\d+)?\.backup")
    return sorted(found for found in path.parent.iterdir() if pattern.fullmatch(found.name))


def _copy(connection: apsw.Connection, path: Path, version: int) -> Path:
    """A copy of the database beside it, whole and durable when this returns."""
    part = path.with_name(f"{path.name}.v{version}.backup{files.UNFINISHED}")
    with files.translate_errors(part):
        files.make_private(part)  # also frees what a killed upgrade left
        needed = connection.pragma("page_count") * connection.pragma("page_size")
        free = shutil.disk_usage(path.parent).free
        if free < needed + _ROOM_FOR_STEPS:
            part.unlink()
            raise NoRoom(
                f"{path}: its upgrade makes a copy first and needs {_mib(needed + _ROOM_FOR_STEPS)}"
                f" free; there are {_mib(free)}. Nothing was changed: make room, then start again"
            )
        try:
            whole = _mib(needed)
            with _watched(
                connection, lambda: f"Copying {path}: {_mib(part.stat().st_size)} of {whole}"
            ):
                connection.execute("VACUUM INTO ?", (str(part),))
            files.sync(part)
            copy = _free_name(path, version)
            files.put_new(part, copy)
            files.sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)
    return copy


@contextmanager
def _watched(connection: apsw.Connection, state: Callable[[], str]) -> Iterator[None]:
    """Log the state now and then while one statement is long at work; meanwhile Python heeds
    signals too."""
    due = time.monotonic() + _LOG_INTERVAL

    def look() -> bool:
        nonlocal due
        if time.monotonic() > due:
            due += _LOG_INTERVAL
            logger.warning(state())
        return False

    connection.set_progress_handler(look, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)


def _free_name(path: Path, version: int) -> Path:
    """There may be one from before somebody went back to the older tracker."""
    copy, number = path.with_name(f"{path.name}.v{version}.backup"), 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.name}.v{version}.{number}.backup")
    return copy


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
