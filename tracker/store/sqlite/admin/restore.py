"""Puts a copy in a database's place, so that a kill at any moment leaves the one or the other.

A note beside the database tells what a restore is about to do, and is gone when it is done; whoever
opens the database next finishes, or undoes, what was broken off (`tracker.store.sqlite.recovery`).

    1  the note says "copying"; the copy is made beside the database, checked, and on disk
    2  the old database's WAL is moved into it; nobody else may have it open
    3  the note says "placing", and the name under which the old files get a second name
    4  the WAL beside the database goes: it belongs to the old one
    5  the copy takes the database's name, at once: from here on it is the database
    6  the note goes
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from tracker import files
from tracker.domain.limits import ID_LIMIT
from tracker.errors import ConfigError, InUse
from tracker.store.sqlite import events, migrations
from tracker.store.sqlite.admin import checks
from tracker.store.sqlite.admin.backup import Progress, check_copy, copy_into
from tracker.store.sqlite.connection import one_line, open_unchanging
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.recovery import BEFORE, COMPANIONS, Note, Told, part_of, recover, settle

logger = logging.getLogger(__name__)

NUMBERS_JUMP: Final = 2**32
"""A restored database goes on at the next multiple of this (docs/contract.md, "Events")."""

# What was given out since the backup, or by what the restore replaces, is never given again. All
# browser sessions end: some were signed out since.
_GO_ON = (
    "INSERT INTO gaps SELECT :last + 1, :next - 2 WHERE :next - 2 > :last",
    "DELETE FROM sqlite_sequence WHERE name = 'events'",
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', :next - 1)",
    "UPDATE marks SET session_epoch = :epoch",
    "DELETE FROM revoked_sessions",
)


class Restored(NamedTuple):
    """What a restored database holds, and where the one before it went; None: there was none."""

    contents: dict[str, Any]
    kept: Path | None


def restore(path: Path, source: Path, progress: Progress) -> Restored:
    """Put a copy of `source` in the place of the database at `path`, which is kept beside it.

    Raises:
        InUse: a server or another program has the database.
        ConfigError: `source` is no sound database of ours, or cannot be put in place.
        NoRoom: the disk is full; nothing was changed.
    """
    try:
        is_file = source.is_file()
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror or error}") from None
    if not is_file:
        raise ConfigError(f"{source}: there is no such file")
    path = path.resolve()
    held = DatabaseLock(path)
    try:
        if source.samefile(path):
            raise ConfigError(f"{source}: this is the database itself; give the backup's name")
        recover(path, may_be_empty=True)
        _check_ours(path)
        with _noted(path, source) as note:
            return _replace(path, source, note, progress)
    finally:
        held.release()


def kept_by_restores(path: Path) -> list[Path]:
    """The databases that restores have replaced, the oldest first."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}{BEFORE}*Z"))


def _replace(path: Path, source: Path, note: Note, progress: Progress) -> Restored:
    part = part_of(path)
    with one_line(str(path)), files.telling(path):
        files.make_private(part)
        copy_into(part, source, progress)
        with closing(apsw.Connection(str(part))) as copy:
            _go_on(copy, path)
            copy.pragma("journal_mode", "delete")
        contents = check_copy(part, source)
        files.sync(part)
        _close_up(path)
    kept = _name_for_old(path)
    with files.telling(path):
        note.write(Told("placing", str(source), kept.name if kept else None))
        if kept is not None:
            for end in ("", *COMPANIONS):
                _second_name(Path(f"{path}{end}"), Path(f"{kept}{end}"))
        files.sync_folder(path.parent)
        for end in (*COMPANIONS, "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        files.sync_folder(path.parent)
        part.replace(path)
        files.sync_folder(path.parent)
    with one_line(str(path)), closing(open_unchanging(path)) as connection:
        if checks.contents(connection) != contents:
            raise ConfigError(f"{path}: is not what was restored; the database before it is {kept}")
    return Restored(contents, kept)


def _go_on(copy: apsw.Connection, path: Path) -> None:
    last = events.last_id(copy)
    following = _next_number(last, path)
    if following >= ID_LIMIT:
        raise ConfigError("the numbers of events would pass 2^53; this is no backup of ours")
    with copy:
        for sql in _GO_ON:
            copy.execute(sql, {"last": last, "next": following, "epoch": secrets.token_hex(8)})


def _next_number(last: int, path: Path) -> int:
    """The multiple to go on at: above the backup's last number and all that the databases have
    given that stood here before. One that cannot be read has had a multiple of its own at most."""
    unreadable = 0
    for earlier in (path, *kept_by_restores(path)):
        try:
            if earlier.exists() and earlier.stat().st_size:
                with closing(open_unchanging(earlier)) as connection:
                    last = max(last, events.last_id(connection))
        except apsw.Error:
            unreadable += 1
    return ((last + 1) // NUMBERS_JUMP + 1 + unreadable) * NUMBERS_JUMP


def _check_ours(path: Path) -> None:
    """Raises ConfigError if another program's database stands there. A broken one is replaced."""
    if path.stat().st_size:
        with contextlib.suppress(apsw.Error), closing(open_unchanging(path)) as connection:
            migrations.check(connection, str(path))


def _close_up(path: Path) -> None:
    """Have all of the old database in its one file, and nobody at it. Raises InUse.

    One that is broken is left as it is: SQLite would take a WAL that it cannot read for none.
    """
    if not path.stat().st_size:
        return
    try:
        with closing(open_unchanging(path)) as connection:
            events.last_id(connection)
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.pragma("locking_mode", "exclusive")
            connection.execute("BEGIN EXCLUSIVE; COMMIT")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        raise InUse(f"{path}: open in another program (a backup, an export?); try again") from None
    except apsw.Error as error:  # broken: it is kept as it is, with its WAL
        logger.warning("%s: the old database is broken (%s); kept as it is", path, error)


def _name_for_old(path: Path) -> Path | None:
    if not path.stat().st_size:
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return path.with_name(f"{path.name}{BEFORE}{moment}")


def _second_name(path: Path, second: Path) -> None:
    """By a link; where the file system knows none, by a copy."""
    if not path.exists():
        return
    try:
        os.link(path, second)
    except OSError:
        shutil.copy2(path, second)
        files.sync(second)


@contextlib.contextmanager
def _noted(path: Path, source: Path) -> Iterator[Note]:
    """A note for as long as the block runs; where that fails, all is put as it was."""
    note = Note(path)
    note.write(Told("copying", str(source), None))
    try:
        yield note
    finally:
        settle(path, note)
