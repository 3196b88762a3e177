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

_RESTART_FACTOR = 8
"""From so many times PAGES on, reports wait a little for readers: while there always is one, the
WAL cannot begin anew."""


class _Stage(Enum):
    RESTING = 1
    MOVING = 2  # the thread is at it
    MOVED = 3  # the rest is the writer's


class Checkpoints:
    """The checkpoints of one database. `run_if_due` is called on the writer's thread alone."""

    def __init__(
        self, connection: apsw.Connection, path: Path, vfs: str | None, pages: int
    ) -> None:
        """`connection` is the writer's, and no longer checkpoints by itself. `pages`: see PAGES."""
        self._writer = connection
        self._connection = open_checkpointer(path, vfs)
        self._pages = pages
        self._wal_pages = 0  # pages, at the last commit
        self._start_at = pages
        self._stage = _Stage.RESTING
        self._requests: SimpleQueue[bool] = SimpleQueue()  # False: stop
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        connection.set_wal_hook(self._count)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Wait for what is being moved. What is left is moved when the writer's connection closes,
        which has to be after this."""
        self._requests.put(False)
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()

    def run_if_due(self) -> None:
        """Begin or finish a checkpoint if one is due; to be called between transactions."""
        if self._stage is _Stage.RESTING and self._wal_pages >= self._start_at:
            self._stage = _Stage.MOVING
            self._requests.put(True)
        elif self._stage is _Stage.MOVED:
            restart = self._wal_pages >= _RESTART_FACTOR * self._pages
            _checkpoint(
                self._writer,
                apsw.SQLITE_CHECKPOINT_RESTART if restart else apsw.SQLITE_CHECKPOINT_PASSIVE,
            )
            # In case that readers keep the log from beginning anew: later, and then ever more so.
            self._start_at = self._wal_pages + (self._wal_pages if restart else self._pages)
            self._stage = _Stage.RESTING

    def _count(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages < self._wal_pages:  # it has begun anew
            self._start_at = self._pages
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _run(self) -> None:
        while self._requests.get():
            _checkpoint(self._connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._stage = _Stage.MOVED


def _checkpoint(connection: apsw.Connection, mode: int) -> None:
    try:
        connection.wal_checkpoint(mode=mode)
    except apsw.BusyError:
        pass  # readers, or another program that is at it
    except Exception as error:  # noqa: BLE001 - it is tried again, and reports go on
        logger.warning("The WAL could not be moved into the database: %r", error)
