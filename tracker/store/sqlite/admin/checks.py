"""Whether a database is sound: what SQLite finds, and the counters against a recount."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tracker.domain.limits import ID_LIMIT
from tracker.store.sqlite import events
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_existing, translate_errors

# SQLite's virtual-machine steps between two calls of `on_progress`.
_STEPS = 1_000_000

# How many problems of one kind are listed; a broken file has thousands.
_MAX_LISTED = 20

_ORPHANS = 'SELECT "table", rowid, parent, fkid FROM pragma_foreign_key_check LIMIT ?'
_COUNTS = """
  SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM tasks),
    (SELECT count(*) FROM events)
"""


def problems(connection: apsw.Connection) -> list[str]:
    """One line for each problem; reads the whole database. What ends it is raised."""
    try:
        found = [
            text
            for (text,) in connection.execute(f"PRAGMA integrity_check({_MAX_LISTED})")
            if text != "ok"
        ]
        orphans = connection.execute(_ORPHANS, (_MAX_LISTED,))
        found += [f"a row of {table} belongs to no {parent}" for table, _, parent, _ in orphans]
        bounds = events.bounds(connection)
        if not bounds.last < ID_LIMIT:
            found.append(f"the last number given is {bounds.last}: none is left to give")
        found += [
            f"counters of {item.table}, {item.row}: kept {item.kept}, counted {item.recounted}"
            for item in recount(connection)[:_MAX_LISTED]
        ]
    except apsw.Error as error:
        found = [str(error)]
    return [" ".join(str(text).split()) for text in found]


def contents(connection: apsw.Connection) -> dict[str, Any]:
    """The numbers of its rows, and the ends of its log."""
    counts = connection.execute(_COUNTS).get
    bounds = events.bounds(connection)
    return {
        **dict(zip(("projects", "tasks", "events"), counts, strict=True)),
        "last_id": bounds.last,
        "pruned": bounds.pruned,
    }


def watched(connection: apsw.Connection, on_progress: Callable[[], None]) -> None:
    """Have it called now and then while `connection` is at work, which an exception ends. That is
    also when Python heeds signals."""

    def show() -> bool:
        on_progress()
        return False

    connection.set_progress_handler(show, _STEPS)


def examine(path: Path, on_progress: Callable[[], None]) -> dict[str, Any]:
    """The health of the database at `path`, beside a server or without one; sizes in bytes.
    `on_progress` is called from time to time.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    with translate_errors(str(path)), closing(open_existing(path)) as connection:
        watched(connection, on_progress)
        connection.execute("BEGIN")  # one state of it
        wal = Path(f"{path}-wal")
        page_size = connection.pragma("page_size")
        return {
            "bytes": path.stat().st_size,
            "wal_bytes": wal.stat().st_size if wal.exists() else 0,
            "free_bytes": connection.pragma("freelist_count") * page_size,
            "sqlite_version": apsw.sqlite_lib_version(),
            "schema": connection.pragma("user_version"),
            **contents(connection),
            "problems": problems(connection),
        }
