"""What export writes, import reads back: the same to the last id."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.cli import run
from tests.load import problems
from tests.server import Server
from tracker.store.recount import recount

TABLES = {
    "projects": "SELECT * FROM projects ORDER BY id",
    "tasks": "SELECT * FROM tasks ORDER BY id",
    "events": "SELECT * FROM events ORDER BY id",
    "agents": "SELECT * FROM agents ORDER BY name",
    "days": "SELECT * FROM days ORDER BY project_id, day",
    "last event": "SELECT seq FROM sqlite_sequence WHERE name = 'events'",
    "pruned": "SELECT pruned FROM marks",
}


def contents(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that matters in a database."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return {name: connection.execute(sql).fetchall() for name, sql in TABLES.items()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with everything that is hard to carry over."""
    server = Server.start(tmp_path_factory.mktemp("filled"))
    odd = 'a "quoted" text, with a comma;\r\nlines\tand \\n =1+1 ' + "\u2028 é 漢字 🙂 \x01"
    server.report(
        "start", "org/repo", odd[:200], metadata={"odd": odd, "n": [1e16, -0.0, 1.5, None]}
    )
    server.report("status", "org/repo", odd[:200], progress=33.3, message="")
    server.report("finish", "org/repo", "done", result="", duration_seconds=1.234)
    server.report("error", "other, project", "bad", error_message=odd, stack_trace=odd * 20)
    server.report("start", "other, project", "bad")  # a second attempt
    server.report("status", "other, project", "waiting", status="pending")
    server.report("start", "other, project", "deleted")
    assert server.http.delete("/api/projects/other%2C%20project/tasks/deleted").status_code == 204
    assert server.stop() == 0
    return server.database


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_round_trip(filled: Path, tmp_path: Path, form: str) -> None:
    out = run("export", f"all.{form}", "--format", form, "--db", str(filled), home=tmp_path)
    assert out.returncode == 0, out.stderr
    back = run("import", f"all.{form}", "--db", "new.db", "--json", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "new.db") == contents(filled)
    again = run("export", "--format", form, "--db", "new.db", home=tmp_path)
    assert again.stdout == (tmp_path / f"all.{form}").read_bytes()


def test_the_server_goes_on_with_what_was_imported(filled: Path, tmp_path: Path) -> None:
    out = run("export", "--db", str(filled), home=tmp_path)
    back = run("import", "-", "--db", "tracker.db", "--json", home=tmp_path, stdin=out.stdout)
    counts = json.loads(back.stdout)
    assert (counts["projects"], counts["tasks"], counts["events"]) == (2, 4, 6)
    server = Server.start(tmp_path)
    try:
        last = server.http.get("/api/events").json()["last_id"]
        assert server.report("start", "org/repo", "new").json()["event_id"] == last + 1
        assert server.task("org/repo", "done")["duration_seconds"] == 1.234
    finally:
        assert server.stop() == 0


def test_export_of_one_project_beside_a_running_server(server: Server, tmp_path: Path) -> None:
    server.report("start", "one")
    server.report("start", "two")
    where = ("--db", str(server.database))
    out = run("export", "--project", "two", *where, home=tmp_path)
    records = [json.loads(line) for line in out.stdout.splitlines()]
    assert [record["record"] for record in records] == ["export", "project", "task", "event", "end"]
    assert {record["project"] for record in records[1:-1]} == {"two"}
    assert records[3]["data"]["status"] == "running"
    taken = run("import", "-", *where, home=tmp_path, stdin=out.stdout)
    assert taken.returncode == 75
    none = run("export", "--project", "three", *where, home=tmp_path)
    assert (none.returncode, none.stdout) == (78, b"")
    assert b"three" in none.stderr


@pytest.mark.parametrize("spoil", [
    lambda lines: lines[:-1],
    lambda lines: lines[:-2] + lines[-1:],
    lambda lines: [*lines[:2], b"{", *lines[2:]],
    lambda lines: lines[1:],
    lambda lines: [],
    lambda lines: [*lines[:3], *lines[2:]],
    lambda lines: [lines[0], *lines[4:]],
    lambda lines: [line.replace(b'"agent"', b'"agnet"') for line in lines],
    lambda lines: [line.replace(b'"running"', b'"walking"') for line in lines],
    lambda lines: [line.replace(b'"attempt":', b'"attempt":[],"x":') for line in lines],
    lambda lines: [b"\xff" + line for line in lines],
], ids=["no end", "one less", "not JSON", "no head", "nothing", "twice", "no parent", "no field",
        "bad value", "bad type", "not UTF-8"])  # fmt: skip
def test_a_spoilt_export_adds_nothing(filled: Path, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    lines = run("export", "--db", str(filled), home=tmp_path).stdout.splitlines()
    stdin = b"\n".join(spoil(lines))
    back = run("import", "-", "--db", "new.db", home=tmp_path, stdin=stdin)
    assert back.returncode == 78, back.stderr
    assert b"Traceback" not in back.stderr
    assert contents(tmp_path / "new.db")["projects"] == []


def test_projects_of_one_tracker_come_together_again(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    for project in ("one", "two", "one"):
        server.report("start", project)
    assert server.stop() == 0
    whole = contents(server.database)
    for project in ("two", "one"):
        out = run("export", "--project", project, "--db", "tracker.db", home=tmp_path)
        back = run("import", "-", "--db", "new.db", home=tmp_path, stdin=out.stdout)
        assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "new.db") == {**whole, "pruned": [(3,)]}  # cursors read afresh


def test_ids_that_are_taken(filled: Path, tmp_path: Path) -> None:
    out = run("export", "--db", str(filled), home=tmp_path).stdout
    before = contents(filled)
    back = run("import", "-", "--db", str(filled), home=tmp_path, stdin=out)
    assert back.returncode == 78
    assert b"new database" in back.stderr
    assert contents(filled) == before
