"""No command can lose data: backup, restore, export, import, prune and upgrades, each attacked.

The order is that of docs/reliability.md. What is found after a kill at each step of a command is in
`test_kill_points.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from tests.cli import Terminal, run
from tests.load import problems
from tests.raw import open_websocket, read_frame
from tests.server import COMMAND, KEY, Server, environment
from tracker.client import Client
from tracker.store import migrations
from tracker.store.connection import open_writer
from tracker.store.recount import recount

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and limits of POSIX")


def tasks(database: Path) -> list[str]:
    """The ids of all tasks of a database that is sound."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return [name for (name,) in connection.execute("SELECT task_id FROM tasks ORDER BY id")]


def made(folder: Path, *names: str) -> Path:
    """A stopped server's database with these tasks."""
    server = Server.start(folder)
    for name in names:
        server.report("start", "project", name)
    assert server.stop() == 0
    return server.database


def refused(home: Path, *arguments: str, code: int = 78) -> str:
    """The one line of a command that refuses."""
    ended = run(*arguments, home=home)
    assert (ended.returncode, ended.stdout) == (code, b""), ended.stderr
    (line,) = [line for line in ended.stderr.decode().splitlines() if line.startswith("tracker:")]
    return line


# --- Restore.


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_restore_beside_what_another_database_left(tmp_path: Path, end: str) -> None:
    """Such as the WAL of a killed server whose database somebody has removed."""
    copy = made(tmp_path / "copy", "in the copy")
    other = Server.start(tmp_path / "other")
    for number in range(50):
        other.report("start", "project", f"of the WAL {number}")
    other.stop(signal.SIGKILL)
    left = other.database.with_name("tracker.db-wal").read_bytes()
    (tmp_path / f"tracker.db{end}").write_bytes(left)
    ended = run("restore", str(copy), "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert tasks(tmp_path / "tracker.db") == ["in the copy"]
    assert not (tmp_path / f"tracker.db{end}").exists()


def test_restore_while_another_command_is_at_the_database(tmp_path: Path) -> None:
    """It would go on with a file that is no longer the database."""
    copy = made(tmp_path / "copy", "in the copy")
    database = made(tmp_path, "old")
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("BEGIN; SELECT * FROM tasks")
        line = refused(tmp_path, "restore", str(copy), "--db", str(database), code=75)
    assert "open in another program" in line
    assert tasks(database) == ["old"]
    assert sorted(path.name for path in tmp_path.glob("tracker.db*rest*")) == []


def test_restore_of_the_database_itself(tmp_path: Path) -> None:
    database = made(tmp_path, "old")
    (tmp_path / "link.db").hardlink_to(database)
    for name in ("tracker.db", "link.db"):
        assert "the database itself" in refused(tmp_path, "restore", name, "--db", "tracker.db")
    assert tasks(database) == ["old"]


def test_restore_never_takes_another_programs_database_away(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy", "in the copy")
    with closing(apsw.Connection(str(tmp_path / "notes.db"))) as other:
        other.execute("CREATE TABLE notes (text); INSERT INTO notes VALUES ('precious')")
    before = (tmp_path / "notes.db").read_bytes()
    assert "another program" in refused(tmp_path, "restore", str(copy), "--db", "notes.db")
    assert (tmp_path / "notes.db").read_bytes() == before


def test_restore_through_a_link_to_the_database(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy", "in the copy")
    database = made(tmp_path / "real", "old")
    (tmp_path / "link.db").symlink_to(database)
    ended = run("restore", str(copy), "--db", "link.db", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "link.db").is_symlink()
    assert tasks(database) == ["in the copy"]
    assert tasks(Path(json.loads(ended.stdout)["kept"])) == ["old"]


def test_restore_of_a_backup_by_an_older_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "copy.db", monkeypatch)
    ended = run("restore", "copy.db", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert tasks(tmp_path / "tracker.db") == ["old"]


# --- Files that a command writes: never onto a database, never through a link.


def names_of(server: Server, folder: Path) -> Iterator[Path]:
    """What leads to the files of a running server."""
    for path in sorted(server.folder.glob("tracker.db*")):
        yield path
        (folder / f"hard-{path.name}").hardlink_to(path)
        yield folder / f"hard-{path.name}"
        (folder / f"soft-{path.name}").symlink_to(path)
        yield folder / f"soft-{path.name}"


@needs_posix
def test_a_backup_never_replaces_a_database(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, other = start_server(key=None), start_server()
    for one in (server, other):
        one.http.headers["X-API-Key"] = (
            KEY if one is other else (server.folder / "tracker.db.api-key").read_text().strip()
        )
        assert one.report("start", "project", "precious").status_code == 201
    targets = list(names_of(server, tmp_path))
    assert {path.name for path in targets} >= {
        *("tracker.db", "tracker.db-wal", "tracker.db-shm", "hard-tracker.db", "soft-tracker.db"),
        *("tracker.db.api-key", "hard-tracker.db-wal"),
    }
    others = [other.folder / f"tracker.db{end}" for end in ("", "-wal", "-shm")]
    for target in (*targets, *others):
        before = target.read_bytes() if "shm" not in target.name else None
        refused(tmp_path, "backup", str(target), "--force", "--db", str(server.database))
        assert before is None or target.read_bytes() == before
    for one in (server, other):
        assert one.report("finish", "project", "precious").status_code == 200
        assert one.stop() == 0
        assert tasks(one.database) == ["precious"]


@needs_posix
def test_a_backup_is_never_written_through_a_link_or_into_a_device(tmp_path: Path) -> None:
    made(tmp_path, "old")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for target in ("link", "dangling", "pipe", "/dev/null"):
        refused(tmp_path, "backup", target, "--force", "--db", "tracker.db")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# --- Import: every row is looked at as the API would, or nothing is taken.


# --- Numbers after a restore.


def restored(tmp_path: Path, start: Callable[..., Server] = Server.start) -> tuple[Server, int]:
    """A server with the task of a backup, and the last number that was given after the backup."""
    server = start(tmp_path)
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", str(tmp_path / "copy.db"), "--force", *db, home=tmp_path).returncode == 0
    last = server.report("start", "project", "after it").json()["event_id"]
    assert server.stop() == 0
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    return start(tmp_path), last


def test_numbers_are_never_given_twice_however_often_a_backup_is_restored(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        server, last = restored(tmp_path)
        given.append(last)
        given.append(server.report("start", "project", "anew").json()["event_id"])
        assert server.stop() == 0
    assert given == sorted(set(given))
    assert [number for number in given if number % 2**32 == 0] == given[1::2]
    assert given[-1] < 2**53


def test_numbers_go_on_above_those_of_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    server, _ = restored(tmp_path)
    given = server.report("start", "project", "anew").json()["event_id"]
    assert server.stop() == 0
    server.database.write_bytes(b"broken" * 1000)
    db = ("--db", str(server.database))
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        assert server.report("start", "project", "anew").json()["event_id"] > given + 1000
    finally:
        assert server.stop() == 0


def test_a_cursor_from_what_was_replaced_is_told_and_others_are_not(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        end = server.http.get("/api/events").json()["last_id"]
        wanted = {0: False, 1: False, last: True, last + 1000: True, end: False, end + 1: True}
        for cursor, is_told in wanted.items():
            page = server.http.get("/api/events", params={"since": cursor}).json()
            assert page["resync_required"] is is_told, cursor
        new = server.report("start", "project", "new").json()["event_id"]
        assert new == end + 1 == 2**32
        for cursor, is_told in wanted.items():
            with closing(open_websocket(server, f"&since={cursor}")) as socket:
                types = [json.loads(read_frame(socket)[1])["type"]] if cursor < new else []
            assert types == ([] if cursor == new else [TOLD if is_told else "task_started"]), cursor
    finally:
        assert server.stop() == 0


TOLD = "resync_required"


def test_the_python_client_hears_of_it(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        server.report("start", "project", "new")
        client = Client(server.url, KEY)
        for since, expected in ((last, [TOLD, "in the backup", "new"]), (1, ["new"])):
            seen = [event["data"].get("task_id", event["type"]) for event in client.events(since)]
            assert seen == expected
            stream = client.follow(since)
            heard = [next(stream) for _ in expected]
            assert [event["data"].get("task_id", event["type"]) for event in heard] == expected
            stream.close()
        assert [e["id"] for e in client.newest_events(1)] == [2**32]
        assert [e["id"] for e in client.newest_events(10)] == [1, 2**32]
    finally:
        assert server.stop() == 0


@needs_posix
def test_tail_goes_on_after_a_restore(tmp_path: Path) -> None:
    """Of the tasks that the restore took away, no bar stays on the terminal."""
    server = Server.start(tmp_path / "server")
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", "copy.db", *db, home=tmp_path).returncode == 0
    server.report("status", "project", "after it", task="Vanished", progress=50)
    port = str(server.ready["port"])
    terminal = Terminal("tail", "-f", home=tmp_path, server=server)
    try:
        terminal.read_until("Vanished")
        assert server.stop() == 0
        assert run("restore", "copy.db", *db, home=tmp_path).returncode == 0
        server = Server.start(tmp_path / "server", "--port", port)
        terminal.read_until("Older events are gone")
        server.report("start", "project", "new", task="Brand new")
        shown = terminal.read_until("project  Brand new")  # its bar
        assert "Vanished" not in shown.partition("project/new")[2]
    finally:
        terminal.close()
        assert server.stop() == 0


# --- A full disk.


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


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process")
def test_the_check_of_the_database_fails_while_reports_are_refused(server: Server) -> None:
    """A WAL that begins anew has room for a small write, as on a disk that is all but full."""
    for number in range(12):
        server.report("start", "project", f"task {number}", metadata={"text": "x" * 9000})
    with closing(apsw.Connection(str(server.database))) as connection:
        connection.execute("SELECT * FROM marks")  # or it knows of no WAL
        assert connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)[0] > 0
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        large = {"text": "x" * 900_000}
        assert server.report("start", "project", "large", metadata=large).status_code == 503
        assert server.report("start", "project", "small").status_code == 201
        for _ in range(2):
            check = server.http.get("/db-check")
            assert (check.status_code, check.json()["status"]) == (503, "error")
            assert "full" in check.json()["message"]
    assert server.http.get("/db-check").status_code == 200
    assert server.report("start", "project", "large", metadata=large).status_code == 201
    assert server.http.get("/db-check").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process")
def test_what_a_full_disk_refuses_does_not_fill_the_log(server: Server) -> None:
    server.report("start", "project")
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        for _ in range(20):
            assert server.report("status", "project", message="x" * 9000).status_code == 503
    assert server.log.count("WARNING") <= 2


def with_file_limit(size: int, *arguments: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    """A command whose files may not grow beyond that size."""
    import resource

    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        cwd=home,
        env=environment(home),
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@needs_posix
def test_prune_makes_room_when_there_is_little(tmp_path: Path) -> None:
    """Its own writing does not need more than the WAL may have."""
    server = Server.start(tmp_path)
    for number in range(150):
        for kind in ("start", "finish"):
            server.report(kind, "project", f"task {number}", metadata={"text": "x" * 5000})
    assert server.stop() == 0
    size = server.database.stat().st_size
    ended = with_file_limit(
        size, "prune", "--older-than", "0s", "--db", "tracker.db", home=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert server.database.stat().st_size < size / 10
    assert tasks(server.database) == []


@needs_posix
def test_commands_say_that_the_disk_is_full(tmp_path: Path) -> None:
    database = made(tmp_path, *(f"task {number}" for number in range(150)))
    shutil.copy(database, tmp_path / "copy.db")
    exported = run("export", "--db", "tracker.db", home=tmp_path).stdout
    (tmp_path / "all.jsonl").write_bytes(exported)
    before = sorted(path.name for path in tmp_path.iterdir())
    for command in (
        ("backup", "new.db", "--db", "tracker.db"),
        ("restore", "copy.db", "--db", "tracker.db"),
        ("prune", "--older-than", "0s", "--max-size", "1", "--db", "tracker.db"),
        ("import", "all.jsonl", "--db", "new.db"),
        ("export", "new.jsonl", "--db", "tracker.db"),
    ):
        ended = with_file_limit(40_000, *command, home=tmp_path)
        lines = ended.stderr.decode().splitlines()
        if command[0] == "prune" and ended.returncode == 0:
            continue  # nothing to be pruned: the tasks run
        assert ended.returncode == 1, (command, lines)
        assert "the disk is" in lines[-1], lines
        assert "full" in lines[-1]
        assert "Traceback" not in ended.stderr.decode()
    assert tasks(database) == [f"task {number}" for number in range(150)]
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert left <= {"new.db", "new.db.lock"}  # an import's, empty


# --- Two servers, one database.


@needs_posix
@pytest.mark.parametrize("way", ["lock removed", "hard link", "both", "lock replaced"])
def test_a_second_server_is_kept_out(server: Server, tmp_path: Path, way: str) -> None:
    server.report("start", "project", "first")
    lock = server.folder / "tracker.db.lock"
    database = server.database
    if way in ("lock removed", "both", "lock replaced"):
        lock.unlink()
    if way == "lock replaced":
        lock.touch()
    if way in ("hard link", "both"):
        database = tmp_path / "other.db"
        database.hardlink_to(server.database)
    line = refused(tmp_path, "serve", "--port", "0", "--db", str(database), code=75)
    assert "in use by another server" in line
    assert "in use" in refused(tmp_path, "import", "-", "--db", str(database), code=75)
    assert server.report("finish", "project", "first").status_code == 200
    assert server.stop() == 0
    assert tasks(server.database) == ["first"]


@needs_posix
def test_commands_beside_a_server_are_let_in(server: Server, tmp_path: Path) -> None:
    """The lock on the file is on a byte of its own: SQLite's locks do not meet it."""
    server.report("start", "project", "first")
    server.report("finish", "project", "first")
    for command in (("backup", "copy.db"), ("export",), ("prune", "--older-than", "1d")):
        assert run(*command, "--db", str(server.database), home=tmp_path).returncode == 0
    server.stop(signal.SIGKILL)
    again = Server.start(server.folder)  # the dead hold nothing
    assert again.report("start", "project", "second").status_code == 201
    assert again.stop() == 0


# --- Who may read the files.


@needs_posix
def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        server = Server.start(tmp_path / "server")
        server.report("start", "project", "first")
        db = ("--db", str(server.database))
        for command in (("backup", "copy.db"), ("export", "all.jsonl"), ("export", "all.csv")):
            assert run(*command, *db, home=tmp_path).returncode == 0
        modes = {path.name: path.stat().st_mode & 0o777 for path in server.folder.glob("*.db*")}
        assert server.stop() == 0
        assert run("restore", "copy.db", *db, home=tmp_path).returncode == 0
        assert run("import", "all.jsonl", "--db", "new.db", home=tmp_path).returncode == 0
    finally:
        os.umask(before)
    files = ("copy.db", "all.jsonl", "all.csv", "server/tracker.db", "new.db")
    modes |= {name: (tmp_path / name).stat().st_mode & 0o777 for name in files}
    del modes["tracker.db.lock"]  # holds nothing
    assert {"tracker.db-wal", "tracker.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


# --- Upgrades.


def old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first tracker left it, with a task."""
    steps = migrations.steps()
    with monkeypatch.context() as older:
        older.setattr(migrations, "steps", lambda: steps[:1])
        with closing(open_writer(path, "full")) as connection:
            connection.execute(
                "INSERT INTO projects (id, name, created_at, updated_at) VALUES (1, 'p', 0, 0);"
                "INSERT INTO tasks VALUES (1, 1, 'old', 'Old', 'a', 'running', 0, 1, 0, NULL, NULL,"
                " NULL, NULL, NULL, NULL, NULL, '{}', 0, 0);"
                "INSERT INTO events VALUES (1, 1, 1, 'task_started', 0, '{}')"
            )


def test_an_upgrade_says_what_it_does_and_how_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    server = Server.start(tmp_path)
    newest = len(migrations.steps())
    copy = tmp_path / "tracker.db.v1.backup"
    before, after = (line for line in server.log.splitlines() if "WARNING Upgrad" in line)
    assert f"from schema 1 to {newest}" in before
    assert "copied" in before
    assert f"to schema {newest}" in after
    for words in (str(copy), "to go back", "--upgrade-copies"):
        assert words in after
    assert tasks(copy) == ["old"]

    db = ("--db", str(server.database))
    told = json.loads(run("doctor", *db, "--json", home=tmp_path).stdout)["database"]["leftovers"]
    assert told == [{"kind": "upgrade copy", "file": str(copy), "bytes": copy.stat().st_size}]
    assert str(copy).encode() in run("doctor", *db, home=tmp_path).stdout
    dry = run("prune", "--upgrade-copies", "--dry-run", "--json", *db, home=tmp_path)
    assert json.loads(dry.stdout)["upgrade_copies"] == [str(copy)]
    assert copy.exists()
    done = run("prune", "--upgrade-copies", *db, home=tmp_path)
    assert (done.returncode, str(copy).encode() in done.stdout) == (0, True)
    assert not copy.exists()
    assert server.stop() == 0
    assert tasks(server.database) == ["old"]


def test_a_second_upgrade_keeps_the_first_ones_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup").write_text("from before somebody went back")
    with closing(open_writer(tmp_path / "tracker.db", "full")):
        pass
    assert (tmp_path / "tracker.db.v1.backup").read_text() == "from before somebody went back"
    assert tasks(tmp_path / "tracker.db.v1.2.backup") == ["old"]


@needs_posix
def test_an_upgrade_without_room_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup.unfinished").write_text("half of what a killed upgrade made")
    ended = with_file_limit(40_000, "serve", "--port", "0", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 1
    assert "the disk is full" in ended.stderr.decode().splitlines()[-1]
    assert not list(tmp_path.glob("*backup*"))
    with closing(apsw.Connection(str(tmp_path / "tracker.db"))) as connection:
        assert connection.pragma("user_version") == 1
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _path: usage)
        with pytest.raises(Exception, match=r"needs 16 MiB free; there are 10 MiB.*Nothing was"):
            open_writer(tmp_path / "tracker.db", "full")
    assert not list(tmp_path.glob("*backup*"))
    with closing(open_writer(tmp_path / "tracker.db", "full")):
        pass
    assert tasks(tmp_path / "tracker.db") == ["old"]


def test_copies_stay_while_the_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "tracker.db").write_bytes(b"broken" * 1000)
    (tmp_path / "tracker.db.v1.backup").write_text("all there is")
    refused(tmp_path, "prune", "--upgrade-copies", "--db", "tracker.db")
    assert (tmp_path / "tracker.db.v1.backup").exists()
