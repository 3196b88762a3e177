"""Who may do what, and who did what: what a restore does not bring back.

The keys and the audit log of the database that is replaced go over into the restored one: no key
that was revoked since the backup comes back, none that was made since is lost. Those of the backup
stay where there is nothing in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from tracker.store.sqlite.connection import open_read_only

# Tables, how each is read and written. Ids stay what they are: requests in flight and idempotency
# keys name them.
_KEYS: Final = (
    (
        "SELECT id, name, role, all_projects, created_at, expires_at, last_used_at, last_used_from"
        " FROM keys",
        "INSERT INTO keys (id, name, role, all_projects, created_at, expires_at, last_used_at,"
        " last_used_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    (
        "SELECT key_id, project FROM key_projects",
        "INSERT INTO key_projects (key_id, project) VALUES (?, ?)",
    ),
    (
        "SELECT id, key_id, digest, expires_at FROM key_secrets",
        "INSERT INTO key_secrets (id, key_id, digest, expires_at) VALUES (?, ?, ?, ?)",
    ),
)
_EMPTY_KEYS: Final = ("DELETE FROM key_secrets", "DELETE FROM key_projects", "DELETE FROM keys")
_AUDIT: Final = (
    (
        "SELECT id, first_at, last_at, times, action, name, address, subject, details FROM audit",
        "INSERT INTO audit (id, first_at, last_at, times, action, name, address, subject, details)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
)
_EMPTY_AUDIT: Final = ("DELETE FROM audit",)
# Where both logs stay: the entries come after those of the backup, by new ids.
_AUDIT_AFTER: Final = (
    (
        "SELECT first_at, last_at, times, action, name, address, subject, details FROM audit"
        " ORDER BY id",
        "INSERT INTO audit (first_at, last_at, times, action, name, address, subject, details)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
)

_NUMBERED: Final = ("keys", "key_secrets", "audit")
_HAS_KEYS: Final = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'key_secrets')"
_SEQUENCE: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
_SET_SEQUENCE: Final = (
    "DELETE FROM sqlite_sequence WHERE name = :name",
    "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)",
)
_COUNT: Final = "SELECT count(*) FROM keys"

# Numbers that a database which cannot be read may have given since the last one that can.
_UNREADABLE: Final = 2**32

_Tables = Sequence[tuple[str, str]]


class RestoredKeys(NamedTuple):
    """How many keys a restored database has, and whether they came with the backup."""

    number: int
    from_backup: bool


class _Unreadable(Exception):
    """The old database cannot be read."""


def carry_over(copy: apsw.Connection, replaced: Path, earlier: Sequence[Path]) -> RestoredKeys:
    """Put the keys and the audit log of the `replaced` database into the `copy` of a backup, in the
    caller's transaction. `earlier`: databases that restores have replaced before; no number of
    theirs is given again.
    """
    numbers = _numbers(copy, (replaced, *earlier))
    from_backup = True
    with suppress(_Unreadable), _opened(replaced) as old:
        # One that never had a key has revoked none: it was begun before the restore, or is older
        # than keys are.
        if old is not None and (_read_last(old, "keys") or not _last(copy, "keys")):
            from_backup = not _carry(copy, old, _EMPTY_KEYS, _KEYS)
            _carry(copy, old, _EMPTY_AUDIT, _AUDIT)
        elif old is not None:
            _carry(copy, old, (), _AUDIT_AFTER)
    for name, last in numbers.items():
        for sql in _SET_SEQUENCE:
            copy.execute(sql, {"name": name, "seq": max(last, _last(copy, name))})
    return RestoredKeys(copy.execute(_COUNT).get, from_backup)


def _numbers(copy: apsw.Connection, databases: Sequence[Path]) -> dict[str, int]:
    """The last number that any of them can have given, of each kind."""
    numbers = {name: _last(copy, name) for name in _NUMBERED}
    for path in databases:
        try:
            with _opened(path) as database:
                found = {name: _read_last(database, name) for name in numbers}
        except _Unreadable:
            numbers = {name: last + _UNREADABLE for name, last in numbers.items()}
        else:
            numbers = {name: max(last, found[name]) for name, last in numbers.items()}
    return numbers


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection | None]:
    """The database; None: there is none, or one from before there were keys. Raises _Unreadable."""
    if not path.exists() or not path.stat().st_size:
        yield None
        return
    try:
        connection = open_read_only(path)
    except apsw.Error as error:
        raise _Unreadable from error
    try:
        yield connection if _has_keys(connection) else None
    finally:
        with suppress(apsw.Error):  # it was only read
            connection.close()


def _has_keys(connection: apsw.Connection) -> bool:
    try:
        return bool(connection.execute(_HAS_KEYS).get)
    except apsw.Error as error:
        raise _Unreadable from error


def _last(connection: apsw.Connection, table: str) -> int:
    return int(connection.execute(_SEQUENCE, (table,)).get)


def _read_last(old: apsw.Connection | None, table: str) -> int:
    try:
        return 0 if old is None else _last(old, table)
    except apsw.Error as error:
        raise _Unreadable from error


def _carry(
    copy: apsw.Connection, old: apsw.Connection, empty: Sequence[str], tables: _Tables
) -> bool:
    """Have these tables as they are in the old database. False: that cannot be read, and they are
    as they were."""
    try:
        with copy:
            for sql in empty:
                copy.execute(sql)
            for read, write in tables:
                copy.executemany(write, _rows(old, read))
    except (_Unreadable, apsw.ConstraintError):
        return False
    return True


def _rows(old: apsw.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    try:
        yield from old.execute(sql)
    except apsw.Error as error:
        raise _Unreadable from error
