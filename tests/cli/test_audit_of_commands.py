"""What commands do to a database file is in its audit log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.cli import json_lines, run
from tests.support.databases import make_database
from tests.support.server import Server


def command(database: Path, *arguments: str) -> bytes:
    done = run(*arguments, "--db", str(database), home=database.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def entries(database: Path) -> list[dict[str, Any]]:
    return [
        entry
        for entry in json_lines(command(database, "audit", "--json"))
        if entry["action"] in ("imported", "restored", "pruned")
    ]


def test_an_import_is_told(tmp_path: Path) -> None:
    old = make_database(tmp_path / "old", "a", "b")
    command(old, "export", str(tmp_path / "secret folder.jsonl"))
    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / "tracker.db"
    command(new, "import", str(tmp_path / "secret folder.jsonl"))
    (entry,) = entries(new)
    assert (entry["action"], entry["address"]) == ("imported", "this machine")
    assert entry["by"].startswith("command (")
    assert entry["details"] == {
        "file": "secret folder.jsonl",
        "projects": 1,
        "tasks": 2,
        "sessions": 0,
        "events": 2,
    }
    # What is refused is not: all or nothing.
    again = run("import", str(tmp_path / "secret folder.jsonl"), "--db", str(new), home=tmp_path)
    assert again.returncode == 78
    assert entries(new) == [entry]


def test_pruning_beside_a_server_is_told_with_what_has_gone(server: Server) -> None:
    for number in range(250):  # more than a step
        assert server.report("finish", "p", f"task {number}").is_success
    server.report("start", "p", "running")
    for flags, told in ((("--dry-run",), 0), ((), 1), ((), 1)):
        arguments = ("prune", "--older-than", "0s", "--project", "p", "--json", *flags)
        result = json.loads(command(server.database, *arguments))
        found = [
            entry
            for entry in server.http.get("/api/audit").json()["entries"]
            if entry["action"] == "pruned"
        ]
        assert len(found) == told
        if told and result["tasks"]:
            (entry,) = found
            assert (entry["subject"], entry["count"]) == ("tasks", 1)
            assert entry["by"].startswith("command (")
            details = entry["details"]
            assert (details["tasks"], details["events"]) == (250, 250)
            assert details["project"] == "p"
            assert details["ended_before"].endswith("Z")


def test_removed_copies_of_upgrades_are_told(tmp_path: Path) -> None:
    database = make_database(tmp_path, "a")
    copy = tmp_path / "tracker.db.v3.backup"
    copy.touch()
    command(database, "prune", "--upgrade-copies", "--dry-run")
    assert (copy.exists(), entries(database)) == (True, [])
    command(database, "prune", "--upgrade-copies")
    (entry,) = entries(database)
    assert entry["details"] == {"files": ["tracker.db.v3.backup"]}
    assert not copy.exists()
