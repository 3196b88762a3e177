"""Restore: what it must neither replace nor believe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.cli import run
from tests.support.databases import assert_refused, make_database, make_old_database, task_ids
from tests.support.platforms import needs_posix
from tests.support.server import Server


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_restore_beside_what_another_database_left(tmp_path: Path, end: str) -> None:
    """Such as the WAL of a killed server whose database somebody has removed."""
    copy = make_database(tmp_path / "copy", "in the copy")
    other = Server.start(tmp_path / "other")
    for number in range(50):
        other.report("start", "project", f"of the WAL {number}")
    other.stop(signal.SIGKILL)
    left = other.database.with_name("tracker.db-wal").read_bytes()
    (tmp_path / f"tracker.db{end}").write_bytes(left)
    ended = run("restore", str(copy), "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert task_ids(tmp_path / "tracker.db") == ["in the copy"]
    assert not (tmp_path / f"tracker.db{end}").exists()


def test_restore_while_another_command_is_at_the_database(tmp_path: Path) -> None:
    """It would go on with a file that is no longer the database."""
    copy = make_database(tmp_path / "copy", "in the copy")
    database = make_database(tmp_path, "old")
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("BEGIN; SELECT * FROM tasks")
        line = assert_refused(tmp_path, "restore", str(copy), "--db", str(database), code=75)
    assert "open in another program" in line
    assert task_ids(database) == ["old"]
    assert sorted(path.name for path in tmp_path.glob("tracker.db*rest*")) == []


def test_restore_of_the_database_itself(tmp_path: Path) -> None:
    database = make_database(tmp_path, "old")
    (tmp_path / "link.db").hardlink_to(database)
    for name in ("tracker.db", "link.db"):
        assert "the database itself" in assert_refused(
            tmp_path, "restore", name, "--db", "tracker.db"
        )
    assert task_ids(database) == ["old"]


def test_restore_never_takes_another_programs_database_away(tmp_path: Path) -> None:
    copy = make_database(tmp_path / "copy", "in the copy")
    with closing(apsw.Connection(str(tmp_path / "notes.db"))) as other:
        other.execute("CREATE TABLE notes (text); INSERT INTO notes VALUES ('precious')")
    before = (tmp_path / "notes.db").read_bytes()
    assert "another program" in assert_refused(tmp_path, "restore", str(copy), "--db", "notes.db")
    assert (tmp_path / "notes.db").read_bytes() == before


@needs_posix
@pytest.mark.parametrize("killed", [False, True])
def test_restore_from_a_link_to_a_database_finds_its_wal(
    server: Server, tmp_path: Path, killed: bool
) -> None:
    server.report("start", "project", "in the WAL")
    (tmp_path / "link.db").symlink_to(server.database)
    if killed:
        server.stop(signal.SIGKILL)
    assert run("restore", "link.db", "--db", "new.db", home=tmp_path).returncode == 0
    assert task_ids(tmp_path / "new.db") == ["in the WAL"]


@pytest.mark.parametrize(
    "note",
    [
        *(b"", b"\xff", b"[1]", b'"phase"', b"{}", b"[" * 50_000, b" " * 2_000_000),
        b'{"phase": "placing", "source": "a", "kept": "precious"}',
        b'{"phase": "placing", "source": "a", "kept": "tracker.db"}',
        b'{"phase": "placing", "source": "a", "kept": "tracker.db.before-restore-/../precious"}',
        b'{"phase": "placing", "source": 5, "kept": 7}',
        b'{"phase": "walking", "source": "a", "kept": null}',
    ],
    ids=range(12),
)
def test_a_note_that_no_restore_wrote_is_not_obeyed(tmp_path: Path, note: bytes) -> None:
    database = make_database(tmp_path, "precious")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "tracker.db.restore.unfinished").touch()
    (tmp_path / "tracker.db.restoring").write_bytes(note)
    shutil.copy(database, tmp_path / "copy.db")
    for command in ("serve --port 0", "restore copy.db"):
        line = assert_refused(tmp_path, *command.split(), "--db", "tracker.db")
        assert "tracker.db.restoring: cannot be read" in line
    assert (tmp_path / "precious").read_text() == "precious"
    assert task_ids(database) == ["precious"]


def test_a_terminal_does_not_obey_the_note_of_a_restore(tmp_path: Path) -> None:
    database = make_database(tmp_path, "old")
    (tmp_path / "tracker.db.restoring").write_text(
        json.dumps({"phase": "copying", "source": "\x1b]0;obey\x07", "kept": None})
    )
    shutil.copy(database, tmp_path / "copy.db")
    ended = run("restore", "copy.db", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0
    assert rb"A restore of \x1b]0;obey\x07 was broken off" in ended.stderr
    assert b"\x1b" not in ended.stderr


@needs_posix
def test_restore_never_takes_the_place_of_what_is_no_file(tmp_path: Path) -> None:
    make_database(tmp_path, "old")
    os.mkfifo(tmp_path / "pipe")
    line = assert_refused(tmp_path, "restore", "tracker.db", "--db", "pipe")
    assert line.endswith("this has to be a file")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert not list(tmp_path.glob("pipe.*"))


def test_restore_through_a_link_to_the_database(tmp_path: Path) -> None:
    copy = make_database(tmp_path / "copy", "in the copy")
    database = make_database(tmp_path / "real", "old")
    (tmp_path / "link.db").symlink_to(database)
    ended = run("restore", str(copy), "--db", "link.db", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "link.db").is_symlink()
    assert task_ids(database) == ["in the copy"]
    assert task_ids(Path(json.loads(ended.stdout)["kept"])) == ["old"]


def test_restore_of_a_backup_by_an_older_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_database(tmp_path / "copy.db", monkeypatch)
    ended = run("restore", "copy.db", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert task_ids(tmp_path / "tracker.db") == ["old"]
