"""Whether the database really takes a write and answers a read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import apsw

from tracker.domain.records import StorageHealth
from tracker.errors import Unavailable

MIN_PROBE_BYTES: Final = 32 * 1024
"""Bytes of a probe: more than nearly all reports need in the WAL."""

MAX_PROBE_BYTES: Final = 4 * 1024 * 1024
"""Bytes: what the largest report needs, in its event, its task and the indexes."""

_WRITE = "UPDATE probe SET written = randomblob(?)"
_SHRINK = "UPDATE probe SET written = x''"
_READ = "SELECT count(*) FROM marks"


def write(connection: apsw.Connection, size: int) -> None:
    """Write `size` bytes, so that a disk which has no room for a report has none for this."""
    connection.execute(_WRITE, (size,))


def shrink(connection: apsw.Connection) -> None:
    """Let the next report have the pages of a large probe."""
    connection.execute(_SHRINK)


def read(connection: apsw.Connection) -> StorageHealth:
    """What the database tells of itself.

    Raises:
        Unavailable: there is less room than the largest report may need.
    """
    connection.execute(_READ)
    _check_room(connection)
    size = connection.pragma("page_count") * connection.pragma("page_size")
    return StorageHealth(apsw.sqlite_lib_version(), size, _size(connection.filename_wal))


def _check_room(connection: apsw.Connection) -> None:
    if not connection.filename:  # in memory
        return
    free = shutil.disk_usage(Path(connection.filename).parent).free
    if free < MAX_PROBE_BYTES:
        raise Unavailable(
            f"The disk is as good as full: {free} bytes are free. Make room, or remove old tasks "
            "by `tracker prune`."
        )


def _size(name: str) -> int:
    path = Path(name)
    return path.stat().st_size if name and path.exists() else 0
