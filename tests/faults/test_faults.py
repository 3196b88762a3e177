"""Machines fail: disks, locks, files, clocks, the writer itself. Each is said, and got over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from tests.support import processes
from tests.support.load import problems
from tests.support.power import NullListener
from tests.support.server import COMMAND, KEY, Server, environment, wait_for
from tracker.clock import SystemClock
from tracker.domain.tasks import Kind, Report
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.store import Store

resource = pytest.importorskip("resource")  # not on Windows

CONFIGURATION = 78
TRY_AGAIN = 75

# A server whose writer meets a fault of ours at its third group.
BROKEN_WRITER = """
from tracker.cli import main
from tracker.store.sqlite import reports, writer
commits = 0
def commit(self, group, original=writer.Writer._commit):
    global commits
    commits += 1
    if commits > 2:
        raise SystemError("broken")
    return original(self, group)
writer.Writer._commit = commit
main()
"""


def start(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Start a server that cannot run; how it ended."""
    command = [*COMMAND, "serve", "--port", "0", *flags]
    return processes.run(
        command,
        cwd=folder,
        env=environment(folder),
        text=True,
        seconds=30,
    )


def refusal(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line in which the server refused to start."""
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    return lines[0]


def assert_sound(database: Path) -> None:
    """Neither half-written nor miscounted."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []


@contextmanager
def no_room(server: Server) -> Iterator[None]:
    """Files of the server may not grow beyond the size that its WAL has now."""
    pid = server.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    wal = server.database.with_name("tracker.db-wal").stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of a running process")
def test_full_disk(server: Server, project: str) -> None:
    recorded = [server.report("start", project).json()["event_id"]]
    with no_room(server):
        for _ in range(3):
            assert_unavailable(server.report("status", project, message="x" * 9000))
        assert server.http.get("/db-check").status_code == 503
        assert server.http.get("/health").status_code == 200
        assert server.task(project)["status"] == "running"
    recorded.append(server.report("finish", project).json()["event_id"])
    events = server.http.get("/api/events").json()["events"]
    assert [event["id"] for event in events] == recorded
    assert "Traceback" not in server.log
    assert server.stop() == 0
    assert_sound(server.database)


def test_reports_wait_for_another_program_and_reads_go_on(server: Server, project: str) -> None:
    server.report("start", project)
    answers: list[httpx.Response] = []

    def report() -> None:
        answers.append(
            httpx.post(
                f"{server.url}/webhook/start",
                json={"project": project, "task": "T", "task_id": "patient", "agent": "a"},
                headers={"X-API-Key": KEY},
                timeout=20,
                trust_env=False,
            )
        )

    patient = threading.Thread(target=report)
    with closing(apsw.Connection(str(server.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        patient.start()
        while patient.is_alive():  # until its five seconds are over
            assert server.task(project)["status"] == "running"
        assert_unavailable(answers.pop())
        patient = threading.Thread(target=report)
        patient.start()
        assert server.http.get("/api/projects").json()["total"] == 1
        assert patient.is_alive()
        other.execute("ROLLBACK")
        patient.join(20)
    assert answers[0].status_code == 201
    assert [
        task["task_id"]
        for task in server.http.get(f"/api/projects/{project}/tasks").json()["tasks"]
    ] == ["patient", "task-1"]


def made_by_us(folder: Path) -> Path:
    """A database that a server made, filled and closed."""
    server = Server.start(folder)
    for number in range(30):
        server.report("start", "project", f"task {number}", metadata={"text": "x" * 2000})
    assert server.stop() == 0
    return server.database


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made_by_us(tmp_path_factory.mktemp("healthy")).read_bytes()


def no_database(_healthy: bytes) -> bytes:
    return b"These are my notes.\n" * 500


def broken_header(healthy: bytes) -> bytes:
    return healthy[:20] + b"\xff" * 80 + healthy[100:]


def broken_pages(healthy: bytes) -> bytes:
    middle = len(healthy) // 8192 * 4096
    return healthy[:middle] + b"\xa5" * 8192 + healthy[middle + 8192 :]


def cut_short(healthy: bytes) -> bytes:
    return healthy[: len(healthy) // 2]


def newer_schema(healthy: bytes) -> bytes:
    return healthy[:60] + (999).to_bytes(4) + healthy[64:]  # user_version, SQLite's file format


def another_programs(healthy: bytes) -> bytes:
    return healthy[:68] + b"ELSE" + healthy[72:]  # application_id


@pytest.mark.parametrize(
    "spoil",
    [
        no_database,
        broken_header,
        broken_pages,
        cut_short,
        newer_schema,
        another_programs,
    ],
)
def test_file_that_is_no_good_is_named_and_left_alone(
    tmp_path: Path, healthy: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    database = tmp_path / "tracker.db"
    content = spoil(healthy)
    database.write_bytes(content)
    line = refusal(start(tmp_path, "--db", str(database)), CONFIGURATION)
    assert line.startswith(f"tracker: {database}: ")
    assert database.read_bytes() == content
    beside = {path.name for path in tmp_path.iterdir()} - {"tracker.db.lock"}
    assert beside == {"tracker.db"}


@pytest.mark.parametrize("had_log", [False, True])
def test_start_waits_for_a_command_that_has_the_file(
    tmp_path: Path, healthy: bytes, had_log: bool
) -> None:
    """As one that ends beside a killed server does, while it puts the log away."""
    database = tmp_path / "tracker" / "tracker.db"
    database.parent.mkdir()
    database.write_bytes(healthy)
    with closing(apsw.Connection(str(database))) as command:
        if had_log:
            command.execute("UPDATE marks SET pruned = pruned")
        command.pragma("locking_mode", "exclusive")
        command.execute("UPDATE marks SET pruned = pruned")
        release = threading.Timer(0.7, command.close)
        release.start()
        server = Server.start(database.parent, "--db", str(database))
        release.join()
    assert server.report("start", "p").status_code == 201
    assert server.stop() == 0


@pytest.mark.parametrize("index", ["search", "project_search"])
def test_broken_search_index_stops_no_report(tmp_path: Path, index: str) -> None:
    server = Server.start(tmp_path)
    try:
        server.report("start", "p", "before")
        wait_for(lambda: server.http.get("/api/search?q=before").json()["tasks"])
        with closing(apsw.Connection(str(server.database))) as connection:
            connection.set_busy_timeout(5000)
            connection.execute(
                f"UPDATE {index}_data SET block = x'" + "ff" * 40 + "' WHERE id = 10"
            )
        for number in range(20):
            assert server.report("start", "p", f"after {number}").status_code == 201
            time.sleep(0.05)  # so that rounds of the index come in between
        wait_for(lambda: "The search index is broken" in server.log)
        assert server.report("finish", "p", "before").status_code == 200
    finally:
        server.stop()


def test_broken_pages_behind_the_wal_of_a_killed_server(tmp_path: Path, healthy: bytes) -> None:
    database = tmp_path / "tracker.db"
    database.write_bytes(healthy)
    server = Server.start(tmp_path)
    server.report("start", "project", "task 1")
    server.stop(signal.SIGKILL)
    content = broken_pages(healthy)
    database.write_bytes(content)
    tmp_path.joinpath("tracker.db-shm").unlink()
    wal = tmp_path.joinpath("tracker.db-wal").read_bytes()
    refusal(start(tmp_path, "--db", str(database)), CONFIGURATION)
    assert database.read_bytes() == content
    assert tmp_path.joinpath("tracker.db-wal").read_bytes() == wal
    assert not tmp_path.joinpath("tracker.db-shm").exists()


def test_missing_directory(tmp_path: Path) -> None:
    database = tmp_path / "missing" / "tracker.db"
    line = refusal(start(tmp_path, "--db", str(database)), CONFIGURATION)
    assert str(database) in line
    assert not database.parent.exists()


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write everywhere, except where the kernel says no
        folder = Path("/proc/self")
    database = folder / "tracker.db"
    line = refusal(start(tmp_path, "--db", str(database)), CONFIGURATION)
    assert str(database) in line
    assert not database.exists()


def test_database_in_use_by_another_server(server: Server, project: str) -> None:
    line = refusal(start(server.folder, "--db", str(server.database)), TRY_AGAIN)
    assert str(server.database) in line
    assert server.report("start", project).status_code == 201


def test_port_in_use(server: Server, tmp_path: Path) -> None:
    port = str(server.ready["port"])
    ended = start(tmp_path, "--port", port, "--db", str(tmp_path / "other.db"))
    assert port in refusal(ended, TRY_AGAIN)
    assert not (tmp_path / "other.db").exists()


def test_writer_that_dies_takes_the_server_with_it(tmp_path: Path, project: str) -> None:
    server = Server.start(tmp_path, command=(sys.executable, "-c", BROKEN_WRITER))
    wait_for(lambda: server.process.poll() is not None or _fails(server, project), 20)
    assert server.process.wait(15) == 1
    server.stop()
    assert "The database writer failed; the server stops." in server.log
    assert_sound(server.database)


def _fails(server: Server, project: str) -> bool:
    try:
        answer = server.report("status", project)
    except httpx.TransportError:
        return True
    if answer.status_code in (200, 201):
        return False
    assert_unavailable(answer)
    return True


def test_fault_in_the_background_is_logged_and_stops_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("broken index")

    monkeypatch.setattr("tracker.store.sqlite.search.index_some", broken)

    async def scenario() -> None:
        store = Store(
            tmp_path / "tracker.db", "full", SystemClock(), NullListener(), on_death=lambda: None
        )
        store.start()
        await asyncio.to_thread(wait_for, lambda: "broken index" in caplog.text, 20)
        recorded = await store.record(Report(Kind.START, "project", "task", "T", "a"), None, 0)
        assert recorded.event_id == 1
        await store.close()

    asyncio.run(scenario())
    assert not (tmp_path / "tracker.db-wal").exists()  # closed as it should be
    assert_sound(tmp_path / "tracker.db")
