"""What export writes, import reads back: the same to the last id."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.cli import Terminal, run
from tests.support.exported import as_table, cells, contents
from tests.support.server import COMMAND, Server, environment


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with everything that is hard to carry over."""
    server = Server.start(tmp_path_factory.mktemp("filled"))
    odd = 'a "quoted" text, with a comma;\r\nlines\tand \\n =1+1 ' + "\u2028 é 漢字 🙂 \x01"
    server.report(
        "start",
        "org/repo",
        odd[:200],
        metadata={"odd": odd, "n": [1e16, -0.0, 1.5, None, 2**70, -(10**300)]},
    )
    server.report("status", "org/repo", odd[:200], progress=33.3, message="")
    server.report("finish", "org/repo", "done", result="", duration_seconds=1.234)
    server.report("error", "other, project", "bad", error_message=odd, stack_trace=odd * 20)
    server.report("start", "other, project", "bad")  # a second attempt
    server.report("status", "other, project", "waiting", status="pending")
    server.report("start", "other, project", "deleted")
    assert server.http.delete("/api/projects/other%2C%20project/tasks/deleted").status_code == 204
    server.report("finish", "other, project", "=1+1", result="'=1+1")
    server.report("status", "other, project", "'=1+1", message="lone\rCR")
    server.report("finish", "other, project", "long", result="r" * 500_000)
    usage = [{"model": "m", "input_tokens": 5, "cost_usd": 0.5}, {"output_tokens": 7}]
    server.report("start", "org/repo", "used", session="s", usage=usage)
    server.report(
        "status", "org/repo", "used", agent="another", usage={"model": "m", "input_tokens": 9}
    )
    prompt = {"session_id": "plugged in", "cwd": "/home/you/app", "prompt_id": "p", "prompt": "Go"}
    heard = server.http.post(
        "/hooks/claude-code",
        json={**prompt, "hook_event_name": "UserPromptSubmit"},
        headers={"Tracker-Context": json.dumps({"host": "=machine"})},
    )
    assert heard.status_code in (200, 202), heard.text
    server.report("finish", "other, project", "old", duration_seconds=100 * 366 * 86_400)
    assert server.stop() == 0
    with closing(apsw.Connection(str(server.database))) as connection:  # as a restore leaves it
        last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get
        connection.execute("INSERT INTO gaps VALUES (?, ?)", (last + 1, 2**32 - 1))
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'events'", (2**32 - 1,))
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


def test_what_is_known_of_a_session_comes_along(filled: Path) -> None:
    sessions = contents(filled)["agent_sessions"]
    assert [session[1:5] for session in sessions if session[2]] == [
        ("plugged in", "claude-code", "=machine", 1)
    ]


def test_the_name_says_the_form_and_the_outcome_is_told(filled: Path, tmp_path: Path) -> None:
    where = ("--db", str(filled))
    done = run("export", "x.csv", *where, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (b"x.csv: 3 projects, 10 tasks and 13 events, as CSV.\n")
    assert (tmp_path / "x.csv").read_bytes().startswith(b"record,")
    before = (tmp_path / "x.csv").read_bytes()
    again = run("export", "x.csv", *where, home=tmp_path)
    assert (again.returncode, again.stdout) == (78, b"")
    assert (tmp_path / "x.csv").read_bytes() == before
    told = run(
        "export", "x.csv", "--force", "--project", "org/repo", "--json", *where, home=tmp_path
    )
    assert json.loads(told.stdout) == {
        **{"file": str(tmp_path / "x.csv"), "format": "csv"},
        **{"projects": 1, "tasks": 3, "sessions": 0, "events": 5},
    }
    unclear = run("export", "x.txt", *where, home=tmp_path)
    assert unclear.returncode == 2
    assert b"--format jsonl" in unclear.stderr
    assert not (tmp_path / "x.txt").exists()


@pytest.mark.parametrize(("arguments", "code"), [
    (("import", "none.jsonl"), 78), (("import", "bad.jsonl"), 78),
    (("restore", "none.db"), 78), (("restore", "bad.jsonl"), 78),
    (("prune", "--older-than", "1d", "--project", "none"), 1),
])  # fmt: skip
def test_nothing_is_announced_that_cannot_be(
    filled: Path, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    (tmp_path / "bad.jsonl").write_text("no export\n")
    shutil.copy(filled, tmp_path / "tracker.db")
    done = run(*arguments, "--db", "tracker.db", home=tmp_path)
    assert done.returncode == code
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("tracker: ")


def test_the_server_goes_on_with_what_was_imported(filled: Path, tmp_path: Path) -> None:
    out = run("export", "--db", str(filled), home=tmp_path)
    back = run("import", "-", "--db", "tracker.db", "--json", home=tmp_path, stdin=out.stdout)
    counts = json.loads(back.stdout)
    assert (counts["projects"], counts["tasks"], counts["events"]) == (3, 10, 13)
    assert counts["sessions"] == 1
    server = Server.start(tmp_path)
    try:
        last = server.http.get("/api/events").json()["last_id"]
        assert server.report("start", "org/repo", "new").json()["event_id"] == last + 1
        assert server.task("org/repo", "done")["duration_seconds"] == 1.234
    finally:
        assert server.stop() == 0


def test_no_number_is_of_an_import_and_of_a_deletion_before_it(
    filled: Path, tmp_path: Path
) -> None:
    """The log was followed to its end before: whoever did has to begin anew."""
    server = Server.start(tmp_path)
    for _ in range(3):
        server.report("start", "short-lived")
        assert server.http.delete("/api/projects/short-lived").status_code == 204
    last = server.http.get("/api/events", params={"newest": 1}).json()["last_id"]
    assert server.stop() == 0
    out = run("export", "--db", str(filled), home=tmp_path).stdout
    back = run("import", "-", "--db", "tracker.db", home=tmp_path, stdin=out)
    assert back.returncode == 0, back.stderr
    server = Server.start(tmp_path)
    try:
        ids = [e["id"] for e in server.http.get("/api/events?limit=1000").json()["events"]]
        assert len(ids) == len(set(ids)) == 13
        assert ids == sorted(ids)
        again = server.http.get("/api/events", params={"since": last}).json()
        assert again["resync_required"]
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
    assert (none.returncode, none.stdout) == (1, b"")
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
    lambda lines: [line.replace(b'"task_started"', b'"task_deleted"') for line in lines],
    lambda lines: [line.replace(b'"task_started"', b'"project_deleted"') for line in lines],
    lambda lines: [line.replace(b'"input_tokens":9', b'"input_tokens":8') for line in lines],
    lambda lines: [line.replace(b'"source":"report"', b'"source":"rumour"') for line in lines],
    lambda lines: [b"\xff" + line for line in lines],
], ids=["no end", "one less", "not JSON", "no head", "nothing", "twice", "no parent", "no field",
        "bad value", "bad type", "a deletion", "a project's deletion", "not what was added",
        "no source", "not UTF-8"])  # fmt: skip
def test_a_spoilt_export_adds_nothing(filled: Path, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    lines = run("export", "--db", str(filled), home=tmp_path).stdout.splitlines()
    stdin = b"\n".join(spoil(lines))
    back = run("import", "-", "--db", "new.db", home=tmp_path, stdin=stdin)
    assert back.returncode == 78, back.stderr
    assert b"Traceback" not in back.stderr
    assert [path.name for path in tmp_path.glob("new.db*")] == ["new.db.lock"]


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
    # Cursors read afresh, that of the log's end as well: it may be from between the two imports.
    told = {"pruned": [(4,)], "last event": [(4,)]}
    assert contents(tmp_path / "new.db") == {**whole, **told}
    joined = Server.start(tmp_path, db="new.db")
    for cursor, missed in ((3, True), (4, False)):
        page = joined.http.get("/api/events", params={"since": cursor}).json()
        assert page["resync_required"] is missed
    assert joined.stop() == 0


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_task_with_large_texts_and_metadata_comes_back(tmp_path: Path, form: str) -> None:
    server = Server.start(tmp_path)
    for number in range(4):
        server.report("status", "project", "t", metadata={f"key {number}": "x" * 100_000})
    server.report("finish", "project", "t", result="x" * 1_000_000)
    assert server.task("project", "t")["metadata_truncated"] is True
    assert server.stop() == 0
    for command in (
        ("export", f"all.{form}", "--format", form, "--db", "tracker.db"),
        ("import", f"all.{form}", "--db", "new.db"),
    ):
        done = run(*command, home=tmp_path)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "new.db") == contents(server.database)


def test_ids_that_are_taken(filled: Path, tmp_path: Path) -> None:
    out = run("export", "--db", str(filled), home=tmp_path).stdout
    before = contents(filled)
    back = run("import", "-", "--db", str(filled), home=tmp_path, stdin=out)
    assert back.returncode == 78
    assert b"new database" in back.stderr
    assert contents(filled) == before


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_that_a_spreadsheet_or_an_editor_saved(
    filled: Path, tmp_path: Path, form: str
) -> None:
    """With a mark of UTF-8 before it, and ends of lines as on Windows, but not within texts."""
    export = run("export", "--format", form, "--db", str(filled), home=tmp_path).stdout
    if form == "csv":
        rows = cells(export)
        saved = as_table(rows, list(rows[0]))
    else:
        saved = export.replace(b"\n", b"\r\n") + b"\r\n"
    assert saved.count(b"\r\n") > export.count(b"\r\n")
    (tmp_path / f"all.{form}").write_bytes(b"\xef\xbb\xbf" + saved)
    back = run("import", f"all.{form}", "--db", "new.db", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "new.db") == contents(filled)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_of_a_version_that_knew_no_gaps(filled: Path, tmp_path: Path, form: str) -> None:
    arguments = ("--format", form, *(("--keep-formulas",) if form == "csv" else ()))
    export = run("export", *arguments, "--db", str(filled), home=tmp_path).stdout
    if form == "csv":
        rows = cells(export)
        old = as_table(rows, [name for name in rows[0] if name not in ("gaps", "quoted")])
    else:
        head, _, rest = export.partition(b"\n")
        old = re.sub(rb',"gaps":.*\]\]', b"", head) + b"\n" + rest
    assert b"gaps" not in old
    (tmp_path / f"old.{form}").write_bytes(old)
    back = run("import", f"old.{form}", "--db", "new.db", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "new.db") == {**contents(filled), "gaps": []}


def test_a_mark_past_the_end_is_not_carried_over(filled: Path, tmp_path: Path) -> None:
    """No import would take it: earlier ones did, and it is still in their databases."""
    shutil.copy(filled, tmp_path / "marked.db")
    with closing(apsw.Connection(str(tmp_path / "marked.db"))) as connection:
        connection.execute("UPDATE marks SET pruned = 1 << 60")
    out = run("export", "--db", "marked.db", home=tmp_path).stdout
    back = run("import", "-", "--db", "new.db", home=tmp_path, stdin=out)
    assert back.returncode == 0, back.stderr
    last = contents(filled)["last event"]
    assert contents(tmp_path / "new.db") == {**contents(filled), "pruned": last}


@pytest.mark.parametrize("spoil", [
    lambda table: table.replace(b"\n", b"\r"),
    lambda table: table.replace(b",quoted\n", b",cited\n", 1),
    lambda table: table.replace(b",task_id,", b",id,", 1),
    lambda table: table.replace(b"empty,quoted\n", b"quoted\n", 1),
    lambda table: table.replace(b",", b";"),
    lambda table: table.replace(b"\n", b",\n"),
    lambda table: table.replace(b"\ntask,", b'\n"task" ,', 1),
    lambda table: table[:len(table) // 2],
    lambda table: table + b'"',
], ids=["CR alone", "unknown column", "column twice", "no column", "semicolons", "more cells",
        "bad quotes", "half", "open quote"])  # fmt: skip
def test_a_spoilt_table_adds_nothing(filled: Path, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    table = run("export", "--format", "csv", "--db", str(filled), home=tmp_path).stdout
    (tmp_path / "all.csv").write_bytes(spoil(table))
    back = run("import", "all.csv", "--db", "new.db", home=tmp_path)
    assert (back.returncode, back.stdout) == (78, b"")
    line = back.stderr.decode().splitlines()[-1]
    assert re.match(r"tracker: (line \d+: |the export has no end)", line)
    assert [path.name for path in tmp_path.glob("new.db*")] == ["new.db.lock"]


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *COMMAND, "import", "-", "--db", "new.db"],
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 78
    (line,) = done.stderr.decode().splitlines()  # it is as if it were empty
    assert line.startswith("tracker: line 1: record: an export begins with")


def test_an_export_on_a_terminal_obeys_nobody(filled: Path, tmp_path: Path) -> None:
    for form in ("jsonl", "csv"):
        terminal = Terminal("export", "--format", form, "--db", str(filled), home=tmp_path)
        shown = terminal.read_all()
        terminal.close()
        assert "漢字" in shown
        assert not set("\x01\x1b\u2028\u202e") & set(shown)
