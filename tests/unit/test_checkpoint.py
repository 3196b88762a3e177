"""The WAL goes into the database while it is written, and stays small."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.load import problems
from tracker.store.sqlite.checkpoint import Checkpoints
from tracker.store.sqlite.connection import open_reader, open_writer

PAGES = 50
PAGES_A_WRITE = 5
PAGE = 4096


class Bench:
    """A writer's connection with its checkpoints; each write is a transaction of some pages."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tracker.db"
        self.log = folder / "tracker.db-wal"
        self.connection = open_writer(self.path, "full")
        # What made the database is not in the log that is looked at.
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.connection.execute("CREATE TABLE written (item TEXT NOT NULL) STRICT")
        self.checkpoints = Checkpoints(self.connection, self.path, None, PAGES)
        self.checkpoints.start()
        self.count = 0
        self._first = 0
        self._first = self.begun

    def write(self) -> None:
        self.count += 1
        self.connection.execute("INSERT INTO written VALUES (?)", ("x" * PAGES_A_WRITE * PAGE,))
        self.checkpoints.run_if_due()

    def write_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until
            self.write()

    @property
    def begun(self) -> int:
        """How often the log has begun anew: its header counts that (SQLite's file format, 4.1)."""
        return int.from_bytes(self.log.read_bytes()[12:16], "big") - self._first

    @property
    def size(self) -> int:
        """Of the log, in pages."""
        return self.log.stat().st_size // PAGE


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.checkpoints.close()
    bench.connection.close()
    with closing(apsw.Connection(str(bench.path))) as connection:
        assert problems(connection) == []
        assert connection.execute("SELECT count(*) FROM written").get == bench.count


def test_the_log_begins_anew(bench: Bench) -> None:
    bench.write_until(lambda: bench.begun == 20)
    # Begun anew, it is written over: the file is as long as the log ever was.
    assert bench.size < bench.count * PAGES_A_WRITE / 4


def test_nothing_is_moved_before_it_is_time(bench: Bench) -> None:
    bench.write()
    assert bench.size < PAGES
    bench.checkpoints.close()  # which waits for what had been begun
    bench.checkpoints.run_if_due()  # and this would finish it
    bench.write()  # and this begin the log anew
    assert bench.begun == 0


def test_a_reader_holds_it_back_only_while_it_reads(bench: Bench) -> None:
    bench.write()
    with closing(open_reader(bench.path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM written").get == 1
        for _ in range(100):
            bench.write()
        assert reader.execute("SELECT count(*) FROM written").get == 1
        assert bench.begun == 0
        reader.execute("ROLLBACK")
    bench.write_until(lambda: bench.begun == 1)


def test_readers_who_take_turns_do_not_hold_it_back_for_ever(bench: Bench) -> None:
    """There always is one who began before the other ended."""
    bench.connection.set_busy_timeout(1000)
    stop = threading.Event()

    def read(first: float) -> None:
        with closing(open_reader(bench.path)) as reader:
            stop.wait(first)
            while not stop.is_set():
                with reader:
                    reader.execute("SELECT count(*) FROM written").fetchall()
                    stop.wait(0.02)

    bench.write()
    readers = [threading.Thread(target=read, args=(0.005 * n,)) for n in range(4)]
    try:
        for reader in readers:
            reader.start()
        bench.write_until(lambda: bench.begun == 3)
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_trouble_is_logged_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(bench.checkpoints, "_connection", FullDisk())
        broken.setattr(bench.checkpoints, "_writer", FullDisk())
        bench.write_until(lambda: caplog.text.count("could not be moved") > 2)
    assert bench.begun == 0
    bench.write_until(lambda: bench.begun == 1)


class FullDisk:
    """A connection to what is on one."""

    def wal_checkpoint(self, **_: object) -> tuple[int, int]:
        raise apsw.FullError("database or disk is full")
