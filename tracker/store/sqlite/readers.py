"""Reads, off the event loop, each with a time limit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import apsw

from tracker.clock import Clock
from tracker.errors import Unavailable
from tracker.store.sqlite.connection import open_reader
from tracker.store.sqlite.writer import Group

T = TypeVar("T")
Query = Callable[[apsw.Connection], T]

# Seconds from the request for a read to its end.
TIME_LIMIT = 2.0

# Virtual-machine steps between two looks at the clock: a fraction of a millisecond.
_STEPS_PER_CHECK = 20_000


class Readers(Protocol):
    """Runs queries, each on one consistent state of the database."""

    async def run(self, query: Query[T]) -> T:
        """The query's result. Raises Unavailable when it takes longer than the time limit."""

    async def close(self) -> None:
        """Wait for queries under way; then close the connections."""


class FileReaders:
    """A few threads with a read-only connection each."""

    def __init__(self, path: Path, clock: Clock, *, threads: int = 4) -> None:
        self._path = path
        self._clock = clock
        self._connections: list[apsw.Connection] = []
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")

    async def run(self, query: Query[T]) -> T:
        deadline = self._clock.monotonic() + TIME_LIMIT
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._run, query, deadline
        )

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._connections:
            connection.close()

    def _run(self, query: Query[T], deadline: float) -> T:
        return _run_with_deadline(self._connection, query, self._clock, deadline)

    def _connection(self) -> apsw.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = open_reader(self._path)
            self._connections.append(self._local.connection)
        connection: apsw.Connection = self._local.connection
        return connection


class WriterReaders:
    """Reads through the writer: a database in memory has one connection."""

    def __init__(self, group: Group, clock: Clock) -> None:
        self._group = group
        self._clock = clock

    async def run(self, query: Query[T]) -> T:
        deadline = self._clock.monotonic() + TIME_LIMIT
        return await self._group.submit(
            lambda connection, _now: _run_with_deadline(
                lambda: connection, query, self._clock, deadline
            )
        )

    async def close(self) -> None:
        """The writer closes its connection itself."""


def _run_with_deadline(
    connect: Callable[[], apsw.Connection], query: Query[T], clock: Clock, deadline: float
) -> T:
    try:
        connection = connect()
        connection.set_progress_handler(lambda: clock.monotonic() > deadline, _STEPS_PER_CHECK)
        try:
            with connection:  # one state for all of the query's statements
                result = query(connection)
        finally:
            connection.set_progress_handler(None)
    except apsw.InterruptError:
        raise Unavailable(
            f"The query took longer than {TIME_LIMIT:g} s; ask for less, by a filter or a limit."
        ) from None
    except (apsw.BusyError, apsw.IOError, apsw.CantOpenError, apsw.CorruptError) as error:
        raise Unavailable(
            f"The database cannot be read ({type(error).__name__}); try again."
        ) from error
    return result
