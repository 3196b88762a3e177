"""Who may read the files."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.cli import run
from tests.support.platforms import needs_posix
from tests.support.server import Server


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
    assert {"tracker.db-wal", "tracker.db-shm", "tracker.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}
