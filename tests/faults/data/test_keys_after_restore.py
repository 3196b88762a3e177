"""Keys and the audit log outlive a restore: none that was revoked comes back, none is lost."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli import json_lines, run
from tests.support.databases import make_database, make_old_database
from tests.support.keys import client_with, make_key
from tests.support.server import Server


def command(database: Path, *arguments: str) -> bytes:
    """What a command on this database says, which has to succeed."""
    done = run(*arguments, "--db", str(database), home=database.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def key(database: Path, name: str, *arguments: str) -> str:
    made = command(database, "key", "create", name, "--role", "read", *arguments)
    return made.decode().strip()


def restore(database: Path, backup: Path) -> dict[str, Any]:
    return dict(json.loads(command(database, "restore", str(backup), "--json")))


def names(database: Path) -> list[str]:
    return [one["name"] for one in json_lines(command(database, "key", "list", "--json"))]


def audit(database: Path) -> list[tuple[str, str]]:
    entries = json_lines(command(database, "audit", "--json"))
    return [(entry["action"], entry["subject"]) for entry in entries]


def numbers(database: Path) -> dict[str, int]:
    """The last numbers that were given."""
    with closing(apsw.Connection(str(database))) as connection:
        rows = connection.execute("SELECT name, seq FROM sqlite_sequence")
        return {str(name): int(seq) for name, seq in rows}


def with_backup(tmp_path: Path, *keys: str) -> tuple[Path, Path]:
    """A database that has these keys, and a backup of it."""
    database = make_database(tmp_path, "in the backup")
    for name in keys:
        key(database, name)
    backup = tmp_path / "copy.db"
    command(database, "backup", str(backup))
    return database, backup


def test_a_restore_neither_revives_a_key_nor_loses_one(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    stays, revoked, rotated = (make_key(server, name, "read") for name in ("a", "b", "c"))
    backup = tmp_path / "copy.db"
    command(server.database, "backup", str(backup))
    server.http.delete("/api/keys/b")
    newer = server.http.post("/api/keys/c/rotate", json={"overlap_seconds": 0}).json()["key"]
    later = make_key(server, "later", "report", "p", "q")
    assert server.stop() == 0
    said = restore(server.database, backup)
    assert (said["keys"], said["keys_from_backup"]) == (3, False)
    server = Server.start(tmp_path)
    try:
        for secret, expected in (
            *((stays, 200), (revoked, 401), (rotated, 401), (newer, 200)),
            (later, 403),  # it may report
        ):
            with client_with(server, secret) as client:
                assert client.get("/api/projects").status_code == expected
        keys = server.http.get("/api/keys").json()["keys"]
        assert [(one["name"], one["projects"]) for one in keys] == [
            *(("a", None), ("c", None), ("later", ["p", "q"]))
        ]
        entries = server.http.get("/api/audit").json()["entries"]
        done = [(entry["action"], entry["subject"]) for entry in reversed(entries)]
        assert ("key_revoked", "b") in done
        restored = done.index(("restored", ""))
        assert restored > done.index(("key_created", "later"))
        assert [entry["id"] for entry in entries] == sorted(
            {entry["id"] for entry in entries}, reverse=True
        )
        (entry,) = [entry for entry in entries if entry["action"] == "restored"]
        assert (entry["details"]["file"], entry["details"]["tasks"]) == ("copy.db", 0)
        assert entry["by"].startswith("command (")
    finally:
        assert server.stop() == 0


def test_no_number_of_a_key_is_given_twice(tmp_path: Path) -> None:
    database, backup = with_backup(tmp_path, "a")
    for name in ("b", "c"):
        key(database, name)
        command(database, "key", "revoke", name)
    before = numbers(database)
    restore(database, backup)
    after = numbers(database)
    assert {name: after[name] for name in ("keys", "key_secrets")} == {
        name: before[name] for name in ("keys", "key_secrets")
    }
    assert after["audit"] == before["audit"] + 1
    # The backup may have given more than the database it replaces.
    restore(database, backup)
    other = make_database(tmp_path / "other", "other")
    key(other, "x")
    restore(other, database)
    assert numbers(other)["keys"] == before["keys"]
    assert names(other) == ["x"]


def test_on_a_new_machine_the_keys_come_with_the_backup(tmp_path: Path) -> None:
    _, backup = with_backup(tmp_path / "old", "a", "b")
    said = restore(tmp_path / "new.db", backup)
    assert (said["keys"], said["keys_from_backup"]) == (2, True)
    assert names(tmp_path / "new.db") == ["a", "b"]
    text = command(tmp_path / "newer.db", "restore", str(backup)).decode()
    assert "2 keys came with the backup" in text
    assert "tracker key list" in text
    assert audit(tmp_path / "new.db")[:2] == [("restored", ""), ("key_created", "b")]


def test_a_database_that_never_had_a_key_takes_those_of_the_backup(tmp_path: Path) -> None:
    """As of a server that was started before its database was restored."""
    _, backup = with_backup(tmp_path / "old", "a")
    new = make_database(tmp_path / "new", "begun")
    command(new, "prune", "--older-than", "0s")  # the task runs: nothing goes, nothing is said
    with closing(apsw.Connection(str(new))) as connection:
        connection.execute(
            "INSERT INTO audit VALUES (7, 1, 1, 1, 'signed_in', 'master', 'here', '', '{}')"
        )
    said = restore(new, backup)
    assert (said["keys"], said["keys_from_backup"]) == (1, True)
    assert names(new) == ["a"]
    done = audit(new)
    assert done[0] == ("restored", "")
    assert done.index(("signed_in", "")) < done.index(("key_created", "a"))


def test_a_backup_without_keys_keeps_those_that_there_are(tmp_path: Path) -> None:
    database, backup = with_backup(tmp_path)
    key(database, "a")
    said = restore(database, backup)
    assert (said["keys"], said["keys_from_backup"]) == (1, False)
    assert names(database) == ["a"]
    # All were revoked: none comes back from a backup that has them.
    newer = tmp_path / "newer.db"
    command(database, "backup", str(newer))
    command(database, "key", "revoke", "a")
    restore(database, newer)
    assert names(database) == []


def test_of_a_broken_database_the_backups_keys_stay(tmp_path: Path) -> None:
    database, backup = with_backup(tmp_path, "a")
    before = numbers(database)
    database.write_bytes(b"broken" * 1000)
    said = restore(database, backup)
    assert (said["keys"], said["keys_from_backup"]) == (1, True)
    after = numbers(database)
    assert after["keys"] > before["keys"] + 1_000_000
    assert after["key_secrets"] > before["key_secrets"] + 1_000_000
    key(database, "b")
    assert names(database) == ["a", "b"]


def test_a_database_whose_keys_alone_are_broken(tmp_path: Path) -> None:
    database, backup = with_backup(tmp_path, "a", "b")
    command(database, "key", "revoke", "b")
    with closing(apsw.Connection(str(database))) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'keys'").get
        size = connection.pragma("page_size")
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    said = restore(database, backup)
    assert (said["keys"], said["keys_from_backup"]) == (2, True)
    assert names(database) == ["a", "b"]
    assert ("key_revoked", "b") in audit(database)


def test_databases_from_before_there_were_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "older.db"
    make_old_database(old, monkeypatch)
    database, backup = with_backup(tmp_path, "a")
    restore(database, old)
    assert names(database) == ["a"]
    said = restore(old, backup)
    assert (said["keys"], said["keys_from_backup"]) == (1, True)
    assert names(old) == ["a"]
