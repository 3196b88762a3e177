"""Upgrades of the schema: the old database is copied first."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.cli import run
from tests.support.databases import (
    assert_refused,
    make_database,
    make_old_database,
    task_ids,
)
from tests.support.full import run_with_file_limit
from tests.support.platforms import needs_posix
from tests.support.server import Server
from tracker.store.sqlite import migrations
from tracker.store.sqlite.connection import open_writer


def test_an_upgrade_says_what_it_does_and_how_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_database(tmp_path / "tracker.db", monkeypatch)
    server = Server.start(tmp_path)
    newest = len(migrations.steps())
    copy = tmp_path / "tracker.db.v1.backup"
    before, after = (line for line in server.log.splitlines() if "WARNING Upgrad" in line)
    assert f"from schema 1 to {newest}" in before
    assert "copied" in before
    assert f"to schema {newest}" in after
    for words in (str(copy), "to go back", "--upgrade-copies"):
        assert words in after
    assert task_ids(copy) == ["old"]

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
    assert task_ids(server.database) == ["old"]


def test_a_second_upgrade_keeps_the_first_ones_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup").write_text("from before somebody went back")
    with closing(open_writer(tmp_path / "tracker.db", "full")):
        pass
    assert (tmp_path / "tracker.db.v1.backup").read_text() == "from before somebody went back"
    assert task_ids(tmp_path / "tracker.db.v1.2.backup") == ["old"]


@needs_posix
def test_an_upgrade_without_room_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup.unfinished").write_text("half of what a killed upgrade made")
    ended = run_with_file_limit(40_000, "serve", "--port", "0", "--db", "tracker.db", home=tmp_path)
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
    assert task_ids(tmp_path / "tracker.db") == ["old"]


def test_copies_stay_while_the_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "tracker.db").write_bytes(b"broken" * 1000)
    (tmp_path / "tracker.db.v1.backup").write_text("all there is")
    assert_refused(tmp_path, "prune", "--upgrade-copies", "--db", "tracker.db")
    assert (tmp_path / "tracker.db.v1.backup").exists()


@pytest.mark.parametrize("keys_are_as_known", [True, False])
def test_whoever_goes_back_restores_over_the_newer_database(
    tmp_path: Path, keys_are_as_known: bool
) -> None:
    """As the log of an upgrade says; the older tracker alone refuses the newer database."""
    database = make_database(tmp_path, "old")
    db = ("--db", str(database))
    for name in ("stays", "revoked"):
        assert run("key", "create", name, "--role", "read", *db, home=tmp_path).returncode == 0
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy), *db, home=tmp_path).returncode == 0
    assert run("key", "revoke", "revoked", *db, home=tmp_path).returncode == 0
    newer = migrations.newest() + 1
    with closing(apsw.Connection(str(database))) as connection:
        if not keys_are_as_known:
            connection.execute("ALTER TABLE keys RENAME COLUMN name TO called")
        connection.pragma("user_version", newer)
    assert "made by a newer tracker" in assert_refused(tmp_path, "serve", "--port", "0", *db)

    done = run("restore", str(copy), *db, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = Path(json.loads(done.stdout)["kept"])
    with closing(apsw.Connection(str(kept))) as connection:
        assert connection.pragma("user_version") == newer
    assert task_ids(database) == ["old"]
    listed = run("key", "list", "--json", *db, home=tmp_path).stdout.splitlines()
    # Where nobody can tell, they are the backup's, and `restore` says so.
    names = {"stays"} if keys_are_as_known else {"stays", "revoked"}
    assert {json.loads(line)["name"] for line in listed} == names
    server = Server.start(tmp_path)
    assert server.report("start", "p").json()["event_id"] >= 2**32
    assert server.stop() == 0
