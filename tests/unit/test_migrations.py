"""A database of an earlier version is brought to the newest, step by step, on its own copy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tracker.errors import ConfigError
from tracker.store.sqlite import migrations
from tracker.store.sqlite.connection import open_writer

STEPS = migrations.steps()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


def opened(database: Path | None) -> closing[apsw.Connection]:
    """The writing connection, as the server opens it."""
    return closing(open_writer(database, "full"))


def schema(connection: apsw.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


@pytest.mark.parametrize("version", range(1, len(STEPS) + 1))
def test_upgrade_from_every_version(
    database: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(migrations, "steps", lambda: STEPS[:version])
        with opened(database) as connection:
            assert connection.pragma("user_version") == version
    with opened(database) as upgraded, opened(None) as fresh:
        assert schema(upgraded) == schema(fresh)
        assert upgraded.pragma("user_version") == len(STEPS)
        assert upgraded.pragma("application_id") == migrations.APPLICATION_ID


def set_steps(monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    monkeypatch.setattr(migrations, "steps", lambda: [*STEPS, *more])


def insert_project(connection: apsw.Connection, name: str) -> None:
    connection.execute(
        "INSERT INTO projects (name, created_at, updated_at) VALUES (?, 0, 0)", (name,)
    )


def backups(database: Path) -> list[str]:
    return sorted(path.name for path in database.parent.glob("*.backup"))


def test_upgrade_is_made_once_on_a_copy_kept_aside(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database) as connection:
        insert_project(connection, "before")
    assert backups(database) == []

    set_steps(monkeypatch, "ALTER TABLE marks ADD COLUMN more INTEGER", "DELETE FROM projects")
    with opened(database) as connection:
        assert connection.pragma("user_version") == len(STEPS) + 2
        assert connection.execute("SELECT more FROM marks").get is None
        assert connection.execute("SELECT count(*) FROM projects").get == 0
        insert_project(connection, "after")
    assert backups(database) == [f"tracker.db.v{len(STEPS)}.backup"]
    with closing(sqlite3.connect(database.with_name(backups(database)[0]))) as copy:
        assert copy.execute("SELECT name FROM projects").fetchall() == [("before",)]
        assert copy.execute("PRAGMA user_version").fetchone() == (len(STEPS),)

    with opened(database) as connection:  # nothing left to do
        assert connection.execute("SELECT name FROM projects").get == "after"


def test_step_that_fails_leaves_what_was_before_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database) as connection:
        insert_project(connection, "kept")
    good = "ALTER TABLE marks ADD COLUMN more INTEGER"
    set_steps(monkeypatch, good, "DELETE FROM projects; SELECT * FROM nowhere")
    with pytest.raises(ConfigError) as refused:
        open_writer(database, "full")
    assert str(refused.value).startswith(f"{database}: ")
    assert "\n" not in str(refused.value)

    set_steps(monkeypatch, good)
    with opened(database) as connection:
        assert connection.pragma("user_version") == len(STEPS) + 1
        assert connection.execute("SELECT name FROM projects").get == "kept"


def test_in_memory_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    set_steps(monkeypatch, "CREATE TABLE more (id INTEGER) STRICT")
    with opened(None) as connection:
        assert connection.pragma("user_version") == len(STEPS) + 1
    assert list(tmp_path.iterdir()) == []
