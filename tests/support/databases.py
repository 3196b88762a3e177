"""Databases made for attacks on them, and what is in them afterwards."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.cli import run
from tests.support.load import problems
from tests.support.server import Server
from tracker.store.sqlite import migrations
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_writer


def task_ids(database: Path) -> list[str]:
    """The ids of all tasks of a database that is sound."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return [name for (name,) in connection.execute("SELECT task_id FROM tasks ORDER BY id")]


def make_database(folder: Path, *names: str) -> Path:
    """A stopped server's database with these tasks."""
    server = Server.start(folder)
    for name in names:
        server.report("start", "project", name)
    assert server.stop() == 0
    return server.database


def assert_refused(home: Path, *arguments: str, code: int = 78) -> str:
    """The one line of a command that refuses."""
    ended = run(*arguments, home=home)
    assert (ended.returncode, ended.stdout) == (code, b""), ended.stderr
    (line,) = [line for line in ended.stderr.decode().splitlines() if line.startswith("tracker:")]
    return line


def make_old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
