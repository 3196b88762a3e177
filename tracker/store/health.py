"""Whether the database really takes a write and answers a read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

# There and back: SQLite writes nothing for a row that gets the values it has.
_WRITE = "UPDATE marks SET searched = searched + 1; UPDATE marks SET searched = searched - 1"
_READ = "SELECT count(*) FROM marks"


def write(connection: apsw.Connection, _now: int) -> None:
    """A write that changes nothing but has to get through."""
    connection.execute(_WRITE)


def read(connection: apsw.Connection) -> dict[str, Any]:
    """What `/db-check` tells of the database; sizes in bytes."""
    connection.execute(_READ)
    size = connection.pragma("page_count") * connection.pragma("page_size")
    return {
        "sqlite_version": apsw.sqlite_lib_version(),
        "size_bytes": size,
        "wal_size_bytes": _size(connection.filename_wal),
    }


def _size(name: str) -> int:
    path = Path(name)
    return path.stat().st_size if name and path.exists() else 0
