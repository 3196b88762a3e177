"""Backups are taken while reports come, are whole, and go back in place."""

from __future__ import annotations

import errno
import json
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli import run
from tests.support.load import Load, problems
from tests.support.raw import open_websocket, read_frame
from tests.support.server import Server, wait_for
from tracker.clock import SystemClock
from tracker.domain.audit import Actor
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.admin.restore import restore


def result(*arguments: str, home: Path) -> dict[str, Any]:
    """What a command that succeeds says to programs."""
    ended = run(*arguments, "--json", home=home)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def refusal(*arguments: str, home: Path) -> tuple[int, str]:
    """The exit code and the one line of a command that fails."""
    ended = run(*arguments, home=home)
    (line,) = [line for line in ended.stderr.decode().splitlines() if line.startswith("tracker:")]
    return ended.returncode, line


def ids(database: Path) -> list[int]:
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return [id_ for (id_,) in connection.execute("SELECT id FROM events ORDER BY id")]


def test_backup_while_reports_keep_coming(server: Server, tmp_path: Path) -> None:
    load = Load(4, server.url)
    load.start()
    try:
        wait_for(lambda: load.count > 300, 30, "reports")
        before = max(ack.event_id for ack in load.acks)
        said = result("backup", "copy.db", "--db", str(server.database), home=tmp_path)
        after = load.count
        wait_for(lambda: load.count > after, 30, "reports after the backup")
    finally:
        load.stop()
    assert load.surprises == []
    copy = tmp_path / "copy.db"
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    there = ids(copy)
    assert there == list(range(1, len(there) + 1))
    assert len(there) >= before
    assert (said["events"], said["last_id"]) == (len(there), there[-1])
    assert said["bytes"] == copy.stat().st_size


def test_restore_puts_the_backup_in_place_and_keeps_the_old(tmp_path: Path) -> None:
    database = str(tmp_path / "tracker.db")
    server = Server.start(tmp_path)
    server.report("start", "project", "in the backup")
    result("backup", "copy.db", "--db", database, home=tmp_path)
    newest = server.report("start", "project", "after the backup").json()["event_id"]
    code, line = refusal("restore", "copy.db", "--db", database, home=tmp_path)
    assert code == 75
    assert database in line
    server.stop(signal.SIGKILL)  # leaves a WAL, which belongs to the old file
    said = result("restore", "copy.db", "--db", database, home=tmp_path)
    assert ids(Path(said["kept"])) == [1, newest]
    assert ids(tmp_path / "copy.db") == [1]

    server = Server.start(tmp_path)
    try:
        tasks = server.http.get("/api/projects/project/tasks").json()["tasks"]
        assert [task["task_id"] for task in tasks] == ["in the backup"]
        new = server.report("start", "project", "new").json()["event_id"]
        assert new == 2**32
        for cursor, expected in ((newest, "resync_required"), (1, "task_started")):
            with closing(open_websocket(server, f"&since={cursor}")) as socket:
                assert json.loads(read_frame(socket)[1])["type"] == expected
    finally:
        assert server.stop() == 0


def test_restore_where_nothing_was(tmp_path: Path) -> None:
    server = Server.start(tmp_path / "old")
    server.report("start", "project")
    assert server.stop() == 0
    result("backup", "copy.db", "--db", str(server.database), home=tmp_path)
    said = result("restore", "copy.db", "--db", "new.db", home=tmp_path)
    assert said["kept"] is None
    assert ids(tmp_path / "new.db") == [1]


def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    for number in range(30):
        server.report("start", "project", f"task {number}", metadata={"text": "x" * 2000})
    assert server.stop() == 0
    healthy = server.database.read_bytes()
    middle = len(healthy) // 8192 * 4096
    bad = {
        "missing.db": None,
        "notes.txt": b"These are my notes.\n" * 500,
        "broken.db": healthy[:middle] + b"\xa5" * 8192 + healthy[middle + 8192 :],
        "schema.db": healthy[:8192] + b"\xa5" * 8192 + healthy[16384:],
        "empty.db": b"",
    }
    for name, content in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        code, line = refusal("restore", name, "--db", str(server.database), home=tmp_path)
        assert (code, name in line) == (78, True), line
        assert server.database.read_bytes() == healthy
        if content is not None:
            assert (tmp_path / name).read_bytes() == content
    assert not list(tmp_path.glob("*unfinished*"))
    assert not list(tmp_path.glob("*before-restore*"))


@pytest.mark.parametrize("flags", [(), ("--force",)])
def test_backup_replaces_a_file_only_by_force(
    tmp_path: Path, server: Server, flags: tuple[str, ...]
) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    arguments = ("backup", str(target), "--db", str(server.database), *flags)
    if flags:
        assert result(*arguments, home=tmp_path)["events"] == 0
    else:
        code, line = refusal(*arguments, home=tmp_path)
        assert (code, target.read_text()) == (78, "precious")
        assert "--force" in line


def test_backup_of_nothing(tmp_path: Path) -> None:
    code, line = refusal("backup", "copy.db", "--db", "none.db", home=tmp_path)
    assert (code, "none.db" in line) == (78, True)
    assert not list(tmp_path.glob("*.db"))


def test_restore_where_the_file_system_knows_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old database then gets its second name by a copy."""
    server = Server.start(tmp_path)
    server.report("start", "project", "in the backup")
    arguments = ("--db", str(server.database))
    result("backup", "copy.db", *arguments, home=tmp_path)
    newest = server.report("start", "project", "after the backup").json()["event_id"]
    server.stop(signal.SIGKILL)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    restored = restore(
        *(server.database, tmp_path / "copy.db", lambda _done, _total: None),
        begin=lambda: None,
        by=Actor("somebody", "here"),
        clock=SystemClock(),
    )
    assert restored.kept is not None
    assert ids(restored.kept) == [1, newest]
    assert ids(server.database) == [1]
