"""A full disk: one line that says so, and nothing is lost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from tests.support.cli import run
from tests.support.databases import make_database, task_ids
from tests.support.full import (
    BROKEN_PIPE,
    FULL,
    PRINTING,
    needs_full,
    printing_to,
    run_with_file_limit,
)
from tests.support.platforms import needs_linux, needs_posix
from tests.support.server import Server


@contextmanager
def file_limit(server: Server, size: int) -> Iterator[None]:
    """Files of the server may not grow beyond that size: as on a full disk, the rest goes on."""
    import resource

    limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)


@needs_linux
def test_the_check_of_the_database_fails_while_reports_are_refused(server: Server) -> None:
    """A WAL that begins anew has room for a small write, as on a disk that is all but full."""
    for number in range(12):
        server.report("start", "project", f"task {number}", metadata={"text": "x" * 9000})
    with closing(apsw.Connection(str(server.database))) as connection:
        connection.execute("SELECT * FROM marks")  # or it knows of no WAL
        assert connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)[0] > 0
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        large = "x" * 900_000
        assert server.report("finish", "project", "large", result=large).status_code == 503
        assert server.report("start", "project", "small").status_code == 201
        for _ in range(2):
            check = server.http.get("/db-check")
            assert (check.status_code, check.json()["status"]) == (503, "error")
            assert "full" in check.json()["message"]
    assert server.http.get("/db-check").status_code == 200
    assert server.report("finish", "project", "large", result=large).status_code == 200
    assert server.http.get("/db-check").status_code == 200


@needs_linux
def test_what_a_full_disk_refuses_does_not_fill_the_log(server: Server) -> None:
    server.report("start", "project")
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        for _ in range(20):
            assert server.report("status", "project", message="x" * 9000).status_code == 503
    assert server.log.count("WARNING") <= 2


@needs_posix
def test_a_server_says_that_there_is_no_room_for_its_ready_file(tmp_path: Path) -> None:
    flags = ("--port", "0", "--db", ":memory:", "--ready-file", "ready.json")
    ended = run_with_file_limit(10, "serve", *flags, home=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines() == [
        f"tracker: {tmp_path / 'ready.json'}: the disk is full; make room, then repeat this"
    ]
    assert list(tmp_path.iterdir()) == []


@needs_posix
def test_prune_makes_room_when_there_is_little(tmp_path: Path) -> None:
    """Its own writing does not need more than the WAL may have."""
    server = Server.start(tmp_path)
    for number in range(150):
        for kind in ("start", "finish"):
            server.report(kind, "project", f"task {number}", metadata={"text": "x" * 5000})
    assert server.stop() == 0
    size = server.database.stat().st_size
    ended = run_with_file_limit(
        size, "prune", "--older-than", "0s", "--db", "tracker.db", home=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert server.database.stat().st_size < size / 8
    assert task_ids(server.database) == []


@needs_posix
def test_prune_says_how_much_room_it_needs(tmp_path: Path) -> None:
    """Where not even the WAL can be moved; what it has removed by then is removed whole."""
    server = Server.start(tmp_path)
    for number in range(60):
        for kind in ("start", "finish"):
            server.report(kind, "project", f"task {number}", metadata={"text": "x" * 9000})
    assert server.stop() == 0
    command = ("prune", "--older-than", "0s", "--db", "tracker.db")
    ended = run_with_file_limit(40_000, *command, home=tmp_path)
    (line,) = [line for line in ended.stderr.decode().splitlines() if "tracker:" in line]
    assert ended.returncode == 1
    assert re.search(r"the disk is so full .* make \d+ MiB of room", line)
    assert set(task_ids(server.database)) <= {f"task {number}" for number in range(60)}
    assert run(*command, home=tmp_path).returncode == 0
    assert task_ids(server.database) == []


@needs_posix
def test_commands_say_that_the_disk_is_full(tmp_path: Path) -> None:
    database = make_database(tmp_path, *(f"task {number}" for number in range(150)))
    shutil.copy(database, tmp_path / "copy.db")
    exported = run("export", "--db", "tracker.db", home=tmp_path).stdout
    (tmp_path / "all.jsonl").write_bytes(exported)
    before = sorted(path.name for path in tmp_path.iterdir())
    for command in (
        ("backup", "new.db", "--db", "tracker.db"),
        ("restore", "copy.db", "--db", "tracker.db"),
        ("import", "all.jsonl", "--db", "new.db"),
        ("export", "new.jsonl", "--db", "tracker.db"),
    ):
        ended = run_with_file_limit(40_000, *command, home=tmp_path)
        lines = ended.stderr.decode().splitlines()
        assert ended.returncode == 1, (command, lines)
        assert "the disk is" in lines[-1], lines
        assert "full" in lines[-1]
        assert "Traceback" not in ended.stderr.decode()
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert left <= {"new.db", "new.db.lock"}  # an import's, empty
    assert task_ids(database) == [f"task {number}" for number in range(150)]


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_full_disk_under_standard_output_is_one_line(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    assert ended == (1, "tracker: standard output: No space left on device")


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_gone_ends_a_command_quietly(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    assert printing_to(BROKEN_PIPE, command, server=shared_server, home=tmp_path) == (141, "")


@needs_full
@pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
def test_a_report_is_recorded_though_its_answer_cannot_be_printed(
    shared_server: Server, project: str, kind: str, tmp_path: Path
) -> None:
    message = " --message m" if kind == "error" else ""
    command = f"{kind} --project '{project}' --task t{message}"
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    event = shared_server.task(project, "t")["events"][-1]["id"]
    assert ended == (
        1,
        "tracker: standard output: No space left on device; "
        f"the report was recorded as event {event}",
    )
