"""Two servers, one database: the second is kept out, commands are let in."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.databases import assert_refused, make_database, task_ids
from tests.support.platforms import needs_posix
from tests.support.server import Server


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
    line = assert_refused(tmp_path, "serve", "--port", "0", "--db", str(database), code=75)
    assert "in use by another server" in line
    assert "in use" in assert_refused(tmp_path, "import", "-", "--db", str(database), code=75)
    assert server.report("finish", "project", "first").status_code == 200
    assert server.stop() == 0
    assert task_ids(server.database) == ["first"]


@needs_posix
@pytest.mark.parametrize(
    "command", ["backup copy", "export", "prune --older-than 0s", "doctor", "restore other.db"]
)
def test_commands_beside_a_server_are_kept_from_its_databases_other_names(
    server: Server, tmp_path: Path, command: str
) -> None:
    """By another name they do not find the WAL, and have one of their own."""
    server.report("finish", "project", "first")
    other = tmp_path / "other.db"
    other.hardlink_to(server.database)
    server.report("finish", "project", "second")
    database = "new.db" if command.startswith("restore") else str(other)
    ended = run(*command.split(), "--db", database, home=tmp_path)
    assert b"in use by a server by another name" in ended.stdout + ended.stderr
    assert ended.returncode == (69 if command == "doctor" else 75)
    assert not [*tmp_path.glob("other.db-*"), *tmp_path.glob("copy*")]
    assert run("doctor", "--json", home=tmp_path, server=server).returncode == 0
    assert server.stop() == 0
    assert task_ids(server.database) == ["first", "second"]


@needs_posix
def test_a_database_with_several_names_is_told_of(tmp_path: Path) -> None:
    make_database(tmp_path, "first")
    (tmp_path / "other.db").hardlink_to(tmp_path / "tracker.db")
    server = Server.start(tmp_path)
    assert server.stop() == 0
    assert "tracker.db has 2 names (hard links)" in server.log
    (tmp_path / "other.db").unlink()
    assert b"hard links" not in run("export", "--db", "tracker.db", home=tmp_path).stderr


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
