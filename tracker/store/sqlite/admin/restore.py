"""Replaces a database by a copy, so that a kill at any moment leaves the one or the other.

A note beside the database says what a restore is about to do, and is removed when it is done;
whoever opens the database next finishes or undoes an interrupted one
(`tracker.store.sqlite.recovery`).

    1  the note says "copying"; the copy is made beside the database, gets the keys and the audit
       log of the old one, is checked, and on disk
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
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from tracker import files
from tracker.clock import Clock
from tracker.domain.audit import Action, Actor, Deed
from tracker.domain.limits import ID_LIMIT
from tracker.errors import ConfigError, InUse
from tracker.store.sqlite import audit, events, migrations
from tracker.store.sqlite.admin import access, backup, checks
from tracker.store.sqlite.admin.access import RestoredKeys
from tracker.store.sqlite.admin.backup import Progress, check_copy, copy_into
from tracker.store.sqlite.connection import open_read_only, translate_errors
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.recovery import (
    COMPANIONS,
    KEPT_INFIX,
    RestoreNote,
    RestoreState,
    finish_or_undo,
    part_path,
    recover,
)

logger = logging.getLogger(__name__)

ID_BLOCK: Final = 2**32
"""A restored database goes on at the next multiple of this (docs/contract.md, "Events")."""

# No id is reused that was assigned since the backup, or by the database that is replaced. All
# browser sessions end: some were signed out since.
_SKIP_IDS = (
    "INSERT INTO gaps SELECT :last + 1, :next - 2 WHERE :next - 2 > :last",
    "DELETE FROM sqlite_sequence WHERE name = 'events'",
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', :next - 1)",
    "UPDATE marks SET session_epoch = :epoch",
    "DELETE FROM revoked_sessions",
)


class Restored(NamedTuple):
    """The contents of a restored database, its keys, and where the one before it is kept; None:
    there was none."""

    contents: dict[str, Any]
    keys: RestoredKeys
    kept: Path | None


def restore(
    path: Path,
    source: Path,
    progress: Progress,
    *,
    begin: Callable[[], None],
    by: Actor,
    clock: Clock,
) -> Restored:
    """Put a copy of `source` in the place of the database at `path`, which is kept beside it; its
    keys and its audit log go on (`tracker.store.sqlite.admin.access`). `by`: whom the audit log
    names. `begin` is called once both were looked at, before anything is changed.

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
    lock = DatabaseLock(path)
    try:
        if source.samefile(path):
            raise ConfigError(f"{source}: this is the database itself; give the backup's name")
        recover(path, may_be_empty=True)
        _check_ours(path)
        backup.check_ours(source)
        begin()
        with _write_note(path, source) as note:
            return _replace(path, source, note, progress, by, clock)
    finally:
        lock.release()


def kept_by_restores(path: Path) -> list[Path]:
    """The databases that restores have replaced, the oldest first."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}{KEPT_INFIX}*Z"))


def _replace(
    path: Path, source: Path, note: RestoreNote, progress: Progress, by: Actor, clock: Clock
) -> Restored:
    part = part_path(path)
    with translate_errors(str(path)), files.translate_errors(path):
        files.make_private(part)
        copy_into(part, source, progress)
        with _damage_is_of(source), closing(apsw.Connection(str(part))) as copy:
            with copy:
                _skip_ids(copy, path)
                keys = access.carry_over(copy, path, kept_by_restores(path))
                details = {"file": source.name, **checks.contents(copy)}
                audit.add(copy, clock.now_ms(), Deed(Action.RESTORED, by, details=details))
            copy.pragma("journal_mode", "delete")
        with _damage_is_of(source):
            contents = check_copy(part, source, progress)
        files.sync(part)
        _merge_wal(path)
    kept = _kept_path(path)
    with files.translate_errors(path):
        note.write(RestoreState("placing", str(source), kept.name if kept else None))
        if kept is not None:
            for end in ("", *COMPANIONS):
                _link_or_copy(Path(f"{path}{end}"), Path(f"{kept}{end}"))
        files.sync_folder(path.parent)
        for end in (*COMPANIONS, "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        files.sync_folder(path.parent)
        part.replace(path)
        files.sync_folder(path.parent)
    with translate_errors(str(path)), closing(open_read_only(path)) as connection:
        if checks.contents(connection) != contents:
            raise ConfigError(f"{path}: is not what was restored; the database before it is {kept}")
    return Restored(contents, keys, kept)


@contextlib.contextmanager
def _damage_is_of(source: Path) -> Iterator[None]:
    """What is broken in the copy was broken in the backup, not in the database. Raises
    ConfigError."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise ConfigError(f"{source}: cannot be used as the database: {error}") from None


def _skip_ids(copy: apsw.Connection, path: Path) -> None:
    last = events.last_id(copy)
    next_id = _next_id(last, path)
    if next_id >= ID_LIMIT:
        raise ConfigError("the numbers of events would pass 2^53; this is no backup of ours")
    for sql in _SKIP_IDS:
        copy.execute(sql, {"last": last, "next": next_id, "epoch": secrets.token_hex(8)})


def _next_id(last: int, path: Path) -> int:
    """The multiple of ID_BLOCK to continue at: above the backup's last id and those of all earlier
    databases of this name. One that cannot be read has used at most one multiple of its own."""
    unreadable = 0
    for earlier in (path, *kept_by_restores(path)):
        try:
            if earlier.exists() and earlier.stat().st_size:
                with closing(open_read_only(earlier)) as connection:
                    last = max(last, events.last_id(connection))
        except apsw.Error:
            unreadable += 1
    return ((last + 1) // ID_BLOCK + 1 + unreadable) * ID_BLOCK


def _check_ours(path: Path) -> None:
    """Raises ConfigError if another program's database stands there. A broken one is replaced, and
    a newer tracker's, by whoever goes back."""
    if path.stat().st_size:
        with contextlib.suppress(apsw.Error), closing(open_read_only(path)) as connection:
            migrations.check_ours(connection, str(path))


def _merge_wal(path: Path) -> None:
    """Move the old database's WAL into it, while nobody else has it open. Raises InUse.

    A broken one is left as it is: SQLite would ignore a WAL that it cannot read.
    """
    if not path.stat().st_size:
        return
    try:
        with closing(open_read_only(path)) as connection:
            events.last_id(connection)
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.pragma("locking_mode", "exclusive")
            connection.execute("BEGIN EXCLUSIVE; COMMIT")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        raise InUse(f"{path}: open in another program (a backup, an export?); try again") from None
    except apsw.Error as error:  # broken: it is kept as it is, with its WAL
        logger.warning("%s: the old database is broken (%s); kept as it is", path, error)


def _kept_path(path: Path) -> Path | None:
    if not path.stat().st_size:
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return path.with_name(f"{path.name}{KEPT_INFIX}{moment}")


def _link_or_copy(path: Path, second: Path) -> None:
    """Link the file to its second name; where the file system has no links, copy it."""
    if not path.exists():
        return
    try:
        os.link(path, second)
    except OSError:
        shutil.copy2(path, second)
        files.sync(second)


@contextlib.contextmanager
def _write_note(path: Path, source: Path) -> Iterator[RestoreNote]:
    """Keep a note while the block runs; if that fails, undo the restore."""
    note = RestoreNote(path)
    note.write(RestoreState("copying", str(source), None))
    try:
        yield note
    finally:
        finish_or_undo(path, note)
