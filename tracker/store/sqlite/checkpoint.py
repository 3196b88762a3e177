"""Checkpoints: moves the write-ahead log (WAL) into the database while reports go on.

SQLite's own checkpoint is part of a commit, which then takes ten times as long as others; under
load every hundredth report waited for that. Here a thread with a connection of its own moves what
is there, which keeps nobody waiting. What came meanwhile, a few pages, is moved by the writer
between two groups; then all of the WAL is in the database, and the next commit begins it anew.
"""

from __future__ import annotations

import logging
import threading
from enum import Enum
from pathlib import Path
from queue import SimpleQueue

import apsw

from tracker.store.sqlite.connection import open_checkpointer

logger = logging.getLogger(__name__)

PAGES = 2_000
"""How many the WAL holds before they are moved: 8 MB. With fewer, the same pages would be moved
more often; with more, each time would take longer."""

_MANY = 8
"""Times PAGES, from where on reports wait a little for readers: as long as there always is one, the
WAL cannot begin anew."""


class _Stage(Enum):
    RESTING = 1
    MOVING = 2  # the thread is at it
    MOVED = 3  # the rest is the writer's


class Checkpoints:
    """Of one database. `look_after` is the writer's thread's, the others are their caller's."""

    def __init__(
        self, connection: apsw.Connection, path: Path, vfs: str | None, pages: int
    ) -> None:
        """`connection` is the writer's, and no longer checkpoints by itself. `pages`: see PAGES."""
        self._writer = connection
        self._connection = open_checkpointer(path, vfs)
        self._pages = pages
        self._in_log = 0  # pages, at the last commit
        self._begin_at = pages
        self._stage = _Stage.RESTING
        self._orders: SimpleQueue[bool] = SimpleQueue()  # False: stop
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        connection.set_wal_hook(self._count)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Wait for what is being moved. What is left is moved when the writer's connection closes,
        which has to be after this."""
        self._orders.put(False)
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()

    def look_after(self) -> None:
        """Begin or finish a checkpoint if it is time; to be called between transactions."""
        if self._stage is _Stage.RESTING and self._in_log >= self._begin_at:
            self._stage = _Stage.MOVING
            self._orders.put(True)
        elif self._stage is _Stage.MOVED:
            many = self._in_log >= _MANY * self._pages
            _move(
                self._writer,
                apsw.SQLITE_CHECKPOINT_RESTART if many else apsw.SQLITE_CHECKPOINT_PASSIVE,
            )
            # In case that readers keep the log from beginning anew: later, and then ever more so.
            self._begin_at = self._in_log + (self._in_log if many else self._pages)
            self._stage = _Stage.RESTING

    def _count(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages < self._in_log:  # it has begun anew
            self._begin_at = self._pages
        self._in_log = pages
        return apsw.SQLITE_OK

    def _run(self) -> None:
        while self._orders.get():
            _move(self._connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._stage = _Stage.MOVED


def _move(connection: apsw.Connection, mode: int) -> None:
    try:
        connection.wal_checkpoint(mode=mode)
    except apsw.BusyError:
        pass  # readers, or another program that is at it
    except Exception as error:  # noqa: BLE001 - it is tried again, and reports go on
        logger.warning("The WAL could not be moved into the database: %r", error)
