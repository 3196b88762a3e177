"""Jobs whose server is away, or whose disk is: they end as they would without us, and what they
reported is there afterwards."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support import jobs
from tests.support.cli import run as run_command
from tests.support.platforms import needs_linux, needs_posix
from tests.support.reporting import all_events, files, messages
from tests.support.server import KEY, Server, wait_for
from tests.support.trap import Trap

JOB = """
import sys
import agent_task_tracker

print("begins")
with agent_task_tracker.task("Evaluate", task_id="job") as task:
    for row in range(50):
        task.progress(2 * row, f"row {row}")
print("ends", file=sys.stderr)
with agent_task_tracker.task("Fails", task_id="fails"):
    sys.exit(3)
"""
ROWS = [f"row {number}" for number in range(50)]
ENDED = (3, "begins\n", "ends\n")

NO_SUCH_SERVER = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def refusing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def hanging() -> Iterator[str]:
    """Connections are opened by the system, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def endless() -> Iterator[str]:
    """The answer has no end, a byte at a time."""
    stopping = threading.Event()

    def trickle(connection: socket.socket, _request: bytes) -> bytes:
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stopping.wait(0.05):
                connection.sendall(b"X")
        return b"\r\nConnection: close\r\n"

    with Trap(answer=trickle) as trap:
        try:
            yield trap.url
        finally:
            stopping.set()


def answering(answer: bytes) -> Callable[[], object]:
    @contextmanager
    def listen() -> Iterator[str]:
        with Trap(answer=lambda _connection, _request: answer) as trap:
            yield trap.url

    return listen


@contextmanager
def without_tls() -> Iterator[str]:
    with Trap(answer=lambda _connection, _request: NO_SUCH_SERVER) as trap:
        yield trap.url.replace("http", "https")


WAYS = {
    "refused": refusing,
    "hanging": hanging,
    "endless": endless,
    "rubbish": answering(os.urandom(500)),
    "nothing": answering(b"\r\nConnection: close\r\n"),
    "503": answering(NO_SUCH_SERVER),
    "401": answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
    "429": answering(
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    ),
    "no TLS": without_tls,
}


def server_at(url: str, folder: Path, *flags: str) -> Server:
    """The right server, started where the wrong one was; it takes what waits for it."""
    port = url.rpartition(":")[2]
    given = {"TRACKER_SPOOL": str(folder / "spool")}
    return Server.start(folder / "server", "--port", port, *flags, variables=given)


def check(server: Server, folder: Path) -> None:
    wait_for(lambda: not files(folder / "spool"), what="the spool is delivered")
    assert messages(server, "jobs") == ROWS
    assert server.task("jobs", "job")["status"] == "completed"
    failed = server.task("jobs", "fails")
    assert (failed["status"], failed["error_message"]) == ("failed", "exit code 3")
    assert len(all_events(server, "jobs")) == 54


@needs_posix
@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_is_away_changes_nothing(
    tmp_path: Path, way: str, pairs: dict[str, object]
) -> None:
    with WAYS[way]() as url:  # type: ignore[operator]
        assert jobs.run(JOB, url, tmp_path) == ENDED
    flags = pairs["EC"].flags if way == "no TLS" else ()  # type: ignore[attr-defined]
    server = server_at(url, tmp_path, *flags)
    try:
        check(server, tmp_path)
    finally:
        server.stop()


def test_a_wrong_key_changes_nothing(tmp_path: Path, shared_server: Server) -> None:
    wrong = "not the key of the suite"
    assert jobs.run(JOB, shared_server.url, tmp_path, key=wrong) == ENDED
    assert len(files(tmp_path / "spool")) == 54
    with refusing() as url:
        pass
    moved = {"API_KEY": wrong, "TRACKER_SPOOL": str(tmp_path / "spool"), "TRACKER_URL": url}
    done = run_command("flush", home=tmp_path, variables=moved)
    assert done.returncode == 0, "these are for another address"
    assert len(files(tmp_path / "spool")) == 54


@needs_linux
def test_a_full_disk_changes_nothing_while_the_server_is_there(
    tmp_path: Path, shared_server: Server
) -> None:
    import resource

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    assert jobs.run(JOB, shared_server.url, tmp_path, before=no_room) == ENDED
    check(shared_server, tmp_path)
    for name in ("job", "fails"):
        shared_server.http.delete(f"/api/projects/jobs/tasks/{name}")
    with refusing() as url:
        assert jobs.run(JOB, url, tmp_path / "away", before=no_room) == ENDED


@needs_posix
@pytest.mark.parametrize("what", ["a file", "a link", "read-only"])
def test_a_spool_that_cannot_be_used_changes_nothing(
    tmp_path: Path, start_server: Callable[..., Server], what: str
) -> None:
    spool = tmp_path / "spool"
    if what == "a file":
        spool.write_text("mine")
    elif what == "a link":
        (tmp_path / "target").mkdir()
        spool.symlink_to(tmp_path / "target")
    else:
        spool = Path("/proc/spool")
    server = start_server()
    given = {"TRACKER_SPOOL": str(spool)}
    assert jobs.run(JOB, server.url, tmp_path, **given) == ENDED
    check(server, tmp_path / "none")
    if what == "a file":
        assert spool.read_text() == "mine"
    elif what == "a link":
        assert list((tmp_path / "target").iterdir()) == []


LOGS = """
import logging
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
import agent_task_tracker
for count in range(5):
    with agent_task_tracker.task("Evaluate", task_id="job") as task:
        task.progress(float("nan"))
    agent_task_tracker.flush(5)
"""


def test_a_failure_is_logged_once_a_minute(tmp_path: Path) -> None:
    with refusing() as url:
        ended = jobs.run(LOGS, url, tmp_path)
    assert (ended.code, ended.stdout) == (0, "")
    lines = ended.stderr.splitlines()
    assert len(lines) == 2, ended.stderr
    assert lines[0].startswith("agent_task_tracker WARNING a report's progress: left out")
    assert "reports are kept in" in lines[1]
    assert url in lines[1]
    assert KEY not in ended.stderr


EXITS = """
import os
import agent_task_tracker
with agent_task_tracker.task("Evaluate", task_id="job") as task:
    for row in range(3000):
        task.message(f"row {row}")
os._exit(3)
"""


@needs_posix
@pytest.mark.parametrize("is_there", [True, False])
def test_an_exit_at_once_loses_nothing(
    tmp_path: Path, start_server: Callable[..., Server], *, is_there: bool
) -> None:
    with refusing() as url:
        server = start_server("--port", url.rpartition(":")[2]) if is_there else None
        assert jobs.run(EXITS, url, tmp_path) == (3, "", "")
    if server is None:
        server = start_server("--port", url.rpartition(":")[2])
    flags = {"TRACKER_SPOOL": str(tmp_path / "spool"), "TRACKER_URL": url, "API_KEY": KEY}
    assert run_command("flush", home=tmp_path, variables=flags).returncode == 0
    assert messages(server, "jobs") == [f"row {row}" for row in range(3000)]
    assert server.task("jobs", "job")["status"] == "completed"


WAITS = """
import time
import agent_task_tracker
with agent_task_tracker.task("Evaluate", task_id="job") as task:
    task.message("waits")
    print("waits", flush=True)
    time.sleep(60)
"""


@needs_posix
def test_ctrl_c_ends_the_job_and_its_task(
    tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    with jobs.start(WAITS, server.url, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "agent_task_tracker" not in stderr.split("KeyboardInterrupt")[-1]
    task = server.task("jobs", "job")
    assert (task["status"], task["error_type"]) == ("failed", "Interrupted")


LOOPS = """
import itertools
import agent_task_tracker
task = agent_task_tracker.task("Evaluate", task_id="job").start()
for row in itertools.count():
    task.message(f"row {row}")
    print(row, flush=True)
"""


@needs_posix
def test_a_job_that_is_killed_has_told_what_it_told(
    tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    with jobs.start(LOOPS, server.url, tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 500:
                break
        process.kill()
        rest = process.stdout.read()
    last = int(rest.splitlines()[-2]) if rest.count("\n") > 1 else 500
    given = {"TRACKER_SPOOL": str(tmp_path / "spool"), "TRACKER_URL": server.url, "API_KEY": KEY}
    assert run_command("flush", home=tmp_path, variables=given).returncode == 0
    found = messages(server, "jobs")
    assert found == [f"row {row}" for row in range(len(found))]
    assert len(found) > last


WORKERS = """
import multiprocessing, os, sys
import agent_task_tracker

def work(number):
    with agent_task_tracker.task(f"Worker {number}", task_id=f"worker {number}") as task:
        for row in range(20):
            task.message(f"row {row}")
    return number

def alone(task, number):
    task.message(f"from {number}")

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1] if sys.argv[1:] else os.environ["HOW"])
    with agent_task_tracker.task("All", task_id="all") as task:
        with context.Pool(3) as pool:
            assert pool.map(work, range(6)) == list(range(6))
            pool.close()
            pool.join()
        process = context.Process(target=alone, args=(task, 7))
        process.start()
        process.join()
        assert process.exitcode == 0
"""


@needs_posix
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_report_too(
    tmp_path: Path, start_server: Callable[..., Server], how: str
) -> None:
    server = start_server()
    assert jobs.run(WORKERS, server.url, tmp_path, HOW=how) == (0, "", "")
    given = {"TRACKER_SPOOL": str(tmp_path / "spool"), "TRACKER_URL": server.url, "API_KEY": KEY}
    assert run_command("flush", home=tmp_path, variables=given).returncode == 0
    for number in range(6):
        task = server.task("jobs", f"worker {number}")
        assert task["status"] == "completed"
        rows = [event["data"].get("message") for event in task["events"]]
        assert [row for row in rows if row] == [f"row {row}" for row in range(20)]
        assert task["parent_task_id"] == ("all" if how == "fork" else None)
    whole = server.task("jobs", "all")
    assert whole["status"] == "completed"
    assert "from 7" in [event["data"].get("message") for event in whole["events"]]


FORKS = """
import os, warnings
import agent_task_tracker
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and newer: there are threads
with agent_task_tracker.task("Parent", task_id="parent") as task:
    task.message("before")
    if os.fork() == 0:
        with agent_task_tracker.task("Child", task_id="child") as inner:
            inner.message("in the child")
        os._exit(0)
    os.wait()
    task.message("after")
"""


@needs_posix
def test_a_child_that_exits_at_once_has_told_everything(
    tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    assert jobs.run(FORKS, server.url, tmp_path) == (0, "", "")
    given = {"TRACKER_SPOOL": str(tmp_path / "spool"), "TRACKER_URL": server.url, "API_KEY": KEY}
    assert run_command("flush", home=tmp_path, variables=given).returncode == 0
    child, parent = server.task("jobs", "child"), server.task("jobs", "parent")
    assert (child["status"], child["parent_task_id"]) == ("completed", "parent")
    assert parent["status"] == "completed"
    assert len(child["events"]) == 3
    assert [event["data"].get("message") for event in parent["events"]] == [
        *(None, "before", "after", None)
    ]


SIGNALS = """
import itertools, signal
import agent_task_tracker
task = agent_task_tracker.task("Evaluate", task_id="job").start()
numbers = itertools.count()
def tell(*_):
    task.message(f"signal {next(numbers)}")
signal.signal(signal.SIGALRM, tell)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for row in range(3000):
    task.message("row")
signal.setitimer(signal.ITIMER_REAL, 0)
task.finish(str(next(numbers)))
"""


@needs_posix
def test_signal_handlers_may_report(tmp_path: Path, start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert jobs.run(SIGNALS, server.url, tmp_path) == (0, "", "")
    found = messages(server, "jobs")
    count = int(server.task("jobs", "job")["result"])
    assert count > 0
    assert found.count("row") == 3000
    # A handler may be interrupted by the next.
    told = [text for text in found if text != "row"]
    assert sorted(told) == sorted(f"signal {number}" for number in range(count))


MANY = """
import time
import agent_task_tracker
task = agent_task_tracker.task("Evaluate", task_id="job").start()
for row in range(10_000):
    task.message(f"row {row}")
    if row == 5_000:
        print("half", flush=True)
        time.sleep(0.2)
task.finish()
while not agent_task_tracker.flush(90):  # at once while the server is away
    time.sleep(0.2)
"""


@pytest.mark.timeout(180)
def test_ten_thousand_reports_arrive_in_order_through_a_restart(
    tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    """With the limits that a server has by default."""
    server = start_server(limits=True)
    port = str(server.ready["port"])
    with jobs.start(MANY, server.url, tmp_path) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "half\n"
        server.stop()
        again = Server.start(server.folder, "--port", port, limits=True)
        try:
            _, stderr = job.communicate(timeout=120)
            assert (job.returncode, stderr) == (0, "")
            assert messages(again, "jobs") == [f"row {row}" for row in range(10_000)]
            assert again.task("jobs", "job")["status"] == "completed"
        finally:
            again.stop()
