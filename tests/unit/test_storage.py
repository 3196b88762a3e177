"""How the database is made, upgraded, checked and read. Faults of the machine: test_faults.py."""

from __future__ import annotations

import asyncio
import ctypes
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.clocked import ClockedServer
from tests.support.power import NullListener
from tests.support.server import COMMAND, Server, environment, wait_for
from tracker.clock import SystemClock
from tracker.config.settings import Durability
from tracker.domain.events import Event
from tracker.domain.tasks import Kind, Report
from tracker.errors import ConfigError, InUse, Unavailable
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import readers, reports, store
from tracker.store.sqlite.admin.counter_check import Mismatch, recount
from tracker.store.sqlite.connection import open_reader, open_writer
from tracker.store.sqlite.lock import DatabaseLock

CONFIGURATION = 78


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


def opened(database: Path | None) -> closing[apsw.Connection]:
    """The writing connection, as the server opens it."""
    return closing(open_writer(database, "full"))


# What is made.


def test_tables_are_strict(database: Path) -> None:
    with opened(database) as connection:
        tables = connection.execute("PRAGMA main.table_list").fetchall()
    lax = {
        name
        for _, name, type_, _, _, strict in tables
        if type_ == "table" and not strict and not name.startswith("sqlite_")
    }
    assert lax == set()
    with opened(database) as connection, pytest.raises(apsw.ConstraintError):
        connection.execute("UPDATE marks SET searched = 'one'")


def test_foreign_keys_hold(database: Path) -> None:
    with opened(database) as connection:
        assert connection.pragma("foreign_keys") == 1
        with pytest.raises(apsw.ConstraintError):
            connection.execute(
                "INSERT INTO events (project_id, task, type, at, data) "
                "VALUES (1, 1, 'task_started', 0, '{}')"
            )


def test_write_ahead_log(server: Server) -> None:
    server.report("start", "p")
    log = server.database.with_name("tracker.db-wal")
    with closing(sqlite3.connect(server.database)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert log.stat().st_size > 0
    assert server.stop() == 0
    assert not log.exists()  # checkpointed: the file alone is the whole database
    with closing(sqlite3.connect(server.database)) as other:
        assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_durability(
    database: Path,
    durability: Durability,
    synchronous: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = []

    def keep(*arguments: object) -> apsw.Connection:
        connections.append(open_writer(*arguments))  # type: ignore[arg-type]
        return connections[0]

    monkeypatch.setattr(store, "open_writer", keep)
    server = ClockedServer(database, durability=durability)
    try:
        assert connections[0].pragma("synchronous") == synchronous
        assert connections[0].pragma("fullfsync") == 1  # which only macOS heeds
    finally:
        server.stop()


def test_space_can_be_given_back(database: Path) -> None:
    with opened(database) as connection:
        assert connection.pragma("auto_vacuum") == 2  # incremental


def test_reader_cannot_write(database: Path) -> None:
    with (
        opened(database),
        closing(open_reader(database)) as reader,
        pytest.raises(apsw.ReadOnlyError),
    ):
        reader.execute("DELETE FROM projects")


def test_empty_file_becomes_a_database(start_server: Callable[..., Server], tmp_path: Path) -> None:
    empty = tmp_path / "new.db"
    empty.touch()
    server = start_server(db=str(empty))
    assert server.report("start", "p").status_code == 201


def test_in_memory(start_server: Callable[..., Server]) -> None:
    server = start_server(db=":memory:", key=None)
    assert server.ready["db"] == ":memory:"
    assert server.stop() == 0
    assert {path.name for path in server.folder.iterdir()} == {"stderr.txt"}


# One server a database.


def test_lock_is_the_files_whatever_it_is_called(database: Path, tmp_path: Path) -> None:
    other_name = tmp_path / "link.db"
    with opened(database):
        other_name.symlink_to(database)
        held = DatabaseLock(database)
        for name in (database, other_name, tmp_path / "x" / ".." / "tracker.db"):
            with pytest.raises(InUse, match=rf"^{name}: in use by another server"):
                DatabaseLock(name)
        held.release()
        DatabaseLock(other_name).release()


# What is refused and left alone. More of it: test_faults.py.


def refusal(database: Path, *, unprivileged: bool = False) -> str:
    """The one line in which a server refused the database."""
    ended = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--db", str(database)],
        check=False,
        cwd=database.parent,
        env=environment(database.parent),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=_obey_permissions if unprivileged else None,
    )
    assert ended.returncode == CONFIGURATION, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"tracker: {database}: ")
    return line


def _obey_permissions() -> None:
    """Root may read and write whatever permissions say, but for this."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability)  # PR_CAPBSET_DROP


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE t (a)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"]
)
@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_another_programs_database(database: Path, sql: str, journal_mode: str) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute(f"PRAGMA journal_mode = {journal_mode}")
        other.execute(sql)
        other.commit()
    content = database.read_bytes()
    with pytest.raises(ConfigError, match="another program; choose another --db"):
        open_writer(database, "full")
    assert database.read_bytes() == content
    assert [path.name for path in database.parent.iterdir()] == ["tracker.db"]


@pytest.mark.skipif(sys.platform != "linux", reason="drops root's privileges by Linux's means")
@pytest.mark.parametrize("mode", [0o400, 0o000], ids=oct)
def test_database_that_may_not_be_written(database: Path, mode: int) -> None:
    with opened(database):
        pass
    content = database.read_bytes()
    database.chmod(mode)
    refusal(database, unprivileged=True)
    database.chmod(0o600)
    assert database.read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="drops root's privileges by Linux's means")
def test_directory_that_may_not_be_written(database: Path) -> None:
    database.parent.chmod(0o500)
    try:
        assert "directory cannot be written" in refusal(database, unprivileged=True)
        assert list(database.parent.iterdir()) == []
    finally:
        database.parent.chmod(0o700)


def test_directory_in_place_of_the_file(database: Path) -> None:
    database.mkdir()
    assert "this has to be a file" in refusal(database)


# Counters.


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE projects SET completed = 2, duration_ms = 6000",
            Mismatch("projects", "p", (0, 0, 2, 0, 6000), (0, 0, 1, 0, 5000)),
        ),
        (
            "UPDATE agents SET task_count = 3",
            Mismatch("agents", "agent", (3, 1, 0, 5000), (1, 1, 0, 5000)),
        ),
        ("DELETE FROM agents", Mismatch("agents", "agent", None, (1, 1, 0, 5000))),
        (
            "INSERT INTO agents VALUES ('nobody', 0, 0, 0, 0)",
            Mismatch("agents", "nobody", (0, 0, 0, 0), None),
        ),
        (
            "DELETE FROM project_agents",
            Mismatch("project_agents", "agent in project 1", None, (1, 1, 0, 5000)),
        ),
        ("UPDATE days SET failed = 1", Mismatch("days", "1 on day 10", (1, 1), (1, 0))),
        ("DELETE FROM days", Mismatch("days", "1 on day 10", None, (1, 0))),
    ],
)
def test_recount_finds_what_is_wrong(sql: str, expected: Mismatch) -> None:
    with opened(None) as connection:
        report = Report(Kind.FINISH, "p", "t", "T", "agent", duration_ms=5000)
        now = 10 * 86_400_000
        reports.record(connection, now, [WriteRequest(report)])
        assert recount(connection) == []
        connection.execute(sql)
        assert recount(connection) == [expected]


# Reading and publishing.


@pytest.mark.parametrize("place", ["file", "memory"])
def test_read_that_takes_too_long(
    database: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow_query(connection: apsw.Connection, _scope: object) -> dict[str, object]:
        begun.set()
        return {
            "count": connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30000000) "
                "SELECT count(*) FROM n"
            ).get
        }

    server = ClockedServer(database if place == "file" else None)
    try:
        server.report("start", "p")
        with monkeypatch.context() as patched, ThreadPoolExecutor(1) as elsewhere:
            patched.setattr("tracker.store.sqlite.readers.TIME_LIMIT", 0.5)
            patched.setattr("tracker.store.sqlite.stats.overall", slow_query)
            asked = elsewhere.submit(server.http.get, "/api/stats")
            wait_for(begun.is_set, what="the slow query")
            assert server.http.get("/health").status_code == 200
            assert not asked.done()
            answer = asked.result()
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        error = answer.json()["error"]
        assert error["code"] == "SERVICE_UNAVAILABLE"
        assert "ask for less" in error["message"]
        # It has held up nobody else for good.
        assert server.get("/api/stats")["overview"]["total_tasks"] == 1
        assert server.report("finish", "p").status_code == 200
    finally:
        server.stop()


def test_limit_of_a_read_is_two_seconds() -> None:
    assert readers.TIME_LIMIT == 2.0


class Witness:
    """Looks, when events are published, whether others see them in the database already."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.groups: list[list[Event]] = []

    def publish(self, events: Sequence[Event]) -> None:
        # By apsw: another SQLite library in this process would undo the locks of this one.
        with closing(open_reader(self._database)) as other:
            for event in events:
                assert other.execute("SELECT 1 FROM events WHERE id = ?", (event.id,)).fetchone()
        self.groups.append(list(events))

    def forget(self) -> None: ...


class HastyClock(SystemClock):
    """A minute later at every look."""

    def __init__(self) -> None:
        self._now = 0

    def now_ms(self) -> int:
        self._now += 60_000
        return self._now


def test_only_what_has_committed_is_published_in_its_order(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.store.sqlite.writer.LOCK_TIMEOUT", 0.1)
    witness = Witness(database)

    async def scenario() -> None:
        one = store.Store(database, "full", HastyClock(), witness, on_death=lambda: None)
        one.start()
        reports = [Report(Kind.START, "p", f"{number}", "T", "a") for number in range(40)]
        await asyncio.gather(*(one.record(report, None, 0) for report in reports))
        with closing(apsw.Connection(str(database))) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await one.record(reports[0], None, 0)
        await one.close()

    asyncio.run(scenario())
    published = [event.id for group in witness.groups for event in group]
    assert published == list(range(1, 41))
    assert len(witness.groups) < len(published)
    # One timestamp for each transaction.
    times = [{event.at for event in group} for group in witness.groups]
    assert [len(of_group) for of_group in times] == [1] * len(times)
    assert len(set.union(*times)) == len(times)


def test_store_that_cannot_be_opened_lets_go_of_its_lock(database: Path) -> None:
    database.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError):
        store.Store(database, "full", SystemClock(), NullListener(), on_death=lambda: None)
    DatabaseLock(database).release()
