"""Arguments that are not UTF-8, as names of files may be on Linux: a line, and nothing is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.server import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are always UTF-8")

NAME = "name\udcff"

OF_DATABASES = [
    *(["serve", "--port", "0", "--db"], ["backup", "copy.db", "--db"], ["export", "--db"]),
    *(["prune", "--older-than", "1d", "--db"], ["key", "list", "--db"], ["audit", "--db"]),
    *(["restore", "sound.db", "--db"], ["import", "sound.jsonl", "--db"]),
]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A folder with a database and what was exported of it."""
    server = Server.start(tmp_path)
    server.report("finish", "p")
    server.stop()
    server.database.rename(tmp_path / "sound.db")
    assert run("export", "sound.jsonl", "--db", "sound.db", home=tmp_path).returncode == 0
    return tmp_path


def refusal(home: Path, *arguments: str, code: int = 78) -> str:
    """What it says; it leaves no file."""
    before = {path.name for path in home.iterdir()}
    done = run(*arguments, home=home)
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert {path.name for path in home.iterdir()} - before <= {"sound.db.lock"}
    return said.splitlines()[-1]


@pytest.mark.parametrize("command", OF_DATABASES, ids=" ".join)
def test_no_database_is_named_so(sound: Path, command: list[str]) -> None:
    assert r"name\udcff: not UTF-8" in refusal(sound, *command, NAME)


def test_nor_is_a_backup(sound: Path) -> None:
    assert "not UTF-8" in refusal(sound, "backup", NAME, "--db", "sound.db")
    (sound / "sound.db").rename(sound / NAME)  # but a copy of one may have got such a name
    assert run("restore", NAME, "--db", "new.db", home=sound).returncode == 0


@pytest.mark.parametrize("command", [["prune", "--older-than", "1d"], ["export", "out.jsonl"]])
def test_no_project_is(sound: Path, command: list[str]) -> None:
    said = refusal(sound, *command, "--project", NAME, "--db", "sound.db", code=1)
    assert r"There is no project 'name\udcff'" in said
