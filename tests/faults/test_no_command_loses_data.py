"""No command can lose data: backup, restore, export, import, prune and upgrades, each attacked.

The order is that of docs/reliability.md. What is found after a kill at each step of a command is in
`test_kill_points.py`.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from agent_task_tracker.client import Client
from tests.support.cli import Terminal, run
from tests.support.exported import Records, as_csv, as_jsonl, contents, export_of_each_kind
from tests.support.full import FULL, NOBODY_READS, PRINTING, needs_full, printing_to
from tests.support.load import problems
from tests.support.raw import open_websocket, read_frame
from tests.support.server import COMMAND, KEY, Server, environment
from tests.support.subscriber import address, receive, subscribe
from tracker.store.sqlite import migrations
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_writer

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and limits of POSIX")


def tasks(database: Path) -> list[str]:
    """The ids of all tasks of a database that is sound."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return [name for (name,) in connection.execute("SELECT task_id FROM tasks ORDER BY id")]


def made(folder: Path, *names: str) -> Path:
    """A stopped server's database with these tasks."""
    server = Server.start(folder)
    for name in names:
        server.report("start", "project", name)
    assert server.stop() == 0
    return server.database


def refused(home: Path, *arguments: str, code: int = 78) -> str:
    """The one line of a command that refuses."""
    ended = run(*arguments, home=home)
    assert (ended.returncode, ended.stdout) == (code, b""), ended.stderr
    (line,) = [line for line in ended.stderr.decode().splitlines() if line.startswith("tracker:")]
    return line


# --- Restore.


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_restore_beside_what_another_database_left(tmp_path: Path, end: str) -> None:
    """Such as the WAL of a killed server whose database somebody has removed."""
    copy = made(tmp_path / "copy", "in the copy")
    other = Server.start(tmp_path / "other")
    for number in range(50):
        other.report("start", "project", f"of the WAL {number}")
    other.stop(signal.SIGKILL)
    left = other.database.with_name("tracker.db-wal").read_bytes()
    (tmp_path / f"tracker.db{end}").write_bytes(left)
    ended = run("restore", str(copy), "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert tasks(tmp_path / "tracker.db") == ["in the copy"]
    assert not (tmp_path / f"tracker.db{end}").exists()


def test_restore_while_another_command_is_at_the_database(tmp_path: Path) -> None:
    """It would go on with a file that is no longer the database."""
    copy = made(tmp_path / "copy", "in the copy")
    database = made(tmp_path, "old")
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("BEGIN; SELECT * FROM tasks")
        line = refused(tmp_path, "restore", str(copy), "--db", str(database), code=75)
    assert "open in another program" in line
    assert tasks(database) == ["old"]
    assert sorted(path.name for path in tmp_path.glob("tracker.db*rest*")) == []


def test_restore_of_the_database_itself(tmp_path: Path) -> None:
    database = made(tmp_path, "old")
    (tmp_path / "link.db").hardlink_to(database)
    for name in ("tracker.db", "link.db"):
        assert "the database itself" in refused(tmp_path, "restore", name, "--db", "tracker.db")
    assert tasks(database) == ["old"]


def test_restore_never_takes_another_programs_database_away(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy", "in the copy")
    with closing(apsw.Connection(str(tmp_path / "notes.db"))) as other:
        other.execute("CREATE TABLE notes (text); INSERT INTO notes VALUES ('precious')")
    before = (tmp_path / "notes.db").read_bytes()
    assert "another program" in refused(tmp_path, "restore", str(copy), "--db", "notes.db")
    assert (tmp_path / "notes.db").read_bytes() == before


@needs_posix
@pytest.mark.parametrize("killed", [False, True])
def test_restore_from_a_link_to_a_database_finds_its_wal(
    server: Server, tmp_path: Path, killed: bool
) -> None:
    server.report("start", "project", "in the WAL")
    (tmp_path / "link.db").symlink_to(server.database)
    if killed:
        server.stop(signal.SIGKILL)
    assert run("restore", "link.db", "--db", "new.db", home=tmp_path).returncode == 0
    assert tasks(tmp_path / "new.db") == ["in the WAL"]


@pytest.mark.parametrize(
    "note",
    [
        *(b"", b"\xff", b"[1]", b'"phase"', b"{}", b"[" * 50_000, b" " * 2_000_000),
        b'{"phase": "placing", "source": "a", "kept": "precious"}',
        b'{"phase": "placing", "source": "a", "kept": "tracker.db"}',
        b'{"phase": "placing", "source": "a", "kept": "tracker.db.before-restore-/../precious"}',
        b'{"phase": "placing", "source": 5, "kept": 7}',
        b'{"phase": "walking", "source": "a", "kept": null}',
    ],
    ids=range(12),
)
def test_a_note_that_no_restore_wrote_is_not_obeyed(tmp_path: Path, note: bytes) -> None:
    database = made(tmp_path, "precious")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "tracker.db.restore.unfinished").touch()
    (tmp_path / "tracker.db.restoring").write_bytes(note)
    shutil.copy(database, tmp_path / "copy.db")
    for command in ("serve --port 0", "restore copy.db"):
        line = refused(tmp_path, *command.split(), "--db", "tracker.db")
        assert "tracker.db.restoring: cannot be read" in line
    assert (tmp_path / "precious").read_text() == "precious"
    assert tasks(database) == ["precious"]


def test_a_terminal_does_not_obey_the_note_of_a_restore(tmp_path: Path) -> None:
    database = made(tmp_path, "old")
    (tmp_path / "tracker.db.restoring").write_text(
        json.dumps({"phase": "copying", "source": "\x1b]0;obey\x07", "kept": None})
    )
    shutil.copy(database, tmp_path / "copy.db")
    ended = run("restore", "copy.db", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0
    assert rb"A restore of \x1b]0;obey\x07 was broken off" in ended.stderr
    assert b"\x1b" not in ended.stderr


@needs_posix
def test_restore_never_takes_the_place_of_what_is_no_file(tmp_path: Path) -> None:
    made(tmp_path, "old")
    os.mkfifo(tmp_path / "pipe")
    line = refused(tmp_path, "restore", "tracker.db", "--db", "pipe")
    assert line.endswith("this has to be a file")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert not list(tmp_path.glob("pipe.*"))


def test_restore_through_a_link_to_the_database(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy", "in the copy")
    database = made(tmp_path / "real", "old")
    (tmp_path / "link.db").symlink_to(database)
    ended = run("restore", str(copy), "--db", "link.db", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "link.db").is_symlink()
    assert tasks(database) == ["in the copy"]
    assert tasks(Path(json.loads(ended.stdout)["kept"])) == ["old"]


def test_restore_of_a_backup_by_an_older_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "copy.db", monkeypatch)
    ended = run("restore", "copy.db", "--db", "tracker.db", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert tasks(tmp_path / "tracker.db") == ["old"]


# --- Files that a command writes: never onto a database, never through a link.

# What leads to a file of the database, whatever it is called: made where the export is to go.
WAYS_TO_THE_DATABASE: dict[str, Callable[[Path, Path], None]] = {
    "a link": lambda target, database: target.symlink_to(database),
    "a hard link": lambda target, database: target.hardlink_to(database),
    "a link to the WAL": lambda target, database: target.symlink_to(f"{database}-wal"),
    "a hard link of the WAL": lambda target, database: target.hardlink_to(f"{database}-wal"),
    "a hard link of the key": lambda target, database: target.hardlink_to(f"{database}.api-key"),
}
FILES_OF_A_DATABASE = ("", "-wal", "-shm", ".lock", ".api-key", ".secret-key")


def export_beside(server: Server, *arguments: str) -> str:
    """Export what a running server has, which has to be refused and to cost it nothing; the line
    that says why."""
    before = {path: path.stat().st_ino for path in server.folder.glob("tracker.db*")}
    events = len(contents(server.database)["events"])
    out = run("export", *arguments, "--db", str(server.database), home=server.folder)
    assert (out.returncode, out.stdout) == (78, b""), out.stderr
    assert {path: path.stat().st_ino for path in server.folder.glob("tracker.db*")} == before
    assert server.report("status", "p").status_code == 200
    assert len(contents(server.database)["events"]) == events + 1
    assert not list(server.folder.glob("*.unfinished"))
    (line,) = out.stderr.decode().splitlines()
    return line


@pytest.fixture
def kept(start_server: Callable[..., Server]) -> Server:
    """A running server with a report, a WAL, and keys of its own beside its database."""
    server = start_server(key=None)
    key = Path(f"{server.database}.api-key").read_text(encoding="utf-8").strip()
    server.http.headers["X-API-Key"] = key
    assert server.report("start", "p").status_code == 201
    return server


@pytest.mark.parametrize("end", FILES_OF_A_DATABASE)
def test_an_export_is_never_written_onto_its_database(kept: Server, end: str) -> None:
    assert Path(f"{kept.database}{end}").exists()
    assert "in use" in export_beside(kept, f"tracker.db{end}", "--force")


@pytest.mark.parametrize("way", WAYS_TO_THE_DATABASE)
def test_nor_by_another_name_of_it(kept: Server, way: str) -> None:
    target = kept.folder / "all.jsonl"
    WAYS_TO_THE_DATABASE[way](target, kept.database)
    assert "all.jsonl: " in export_beside(kept, "all.jsonl", "--force")
    assert target.is_symlink() or target.stat().st_nlink == 2


@needs_posix
def test_nor_onto_the_database_of_another_server(
    kept: Server, start_server: Callable[..., Server]
) -> None:
    other = start_server()
    other.report("start", "p", "precious")
    for end in ("", "-wal", "-shm"):
        said = export_beside(kept, f"{other.database}{end}", "--force")
        assert "database of a running server" in said
    assert other.report("finish", "p", "precious").status_code == 200
    assert len(contents(other.database)["events"]) == 2


def test_nor_over_a_file_without_force(kept: Server) -> None:
    target = kept.folder / "all.jsonl"
    target.write_text("mine", encoding="utf-8")
    assert "--force" in export_beside(kept, "all.jsonl")
    assert target.read_text(encoding="utf-8") == "mine"
    arguments = ("export", "all.jsonl", "--force", "--db", str(kept.database))
    assert run(*arguments, home=kept.folder).returncode == 0
    assert target.read_bytes() == run("export", *arguments[3:], home=kept.folder).stdout


@pytest.mark.parametrize("forced", [(), ("--force",)], ids=["", "forced"])
def test_nor_through_a_link(kept: Server, forced: tuple[str, ...]) -> None:
    mine = kept.folder / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    for name, leads_to in (("link", mine), ("nowhere", kept.folder / "not there")):
        link = kept.folder / name
        link.symlink_to(leads_to)
        assert "link" in export_beside(kept, name, *forced)
        assert link.is_symlink()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (kept.folder / "not there").exists()


@needs_posix
def test_nor_into_what_is_no_file(kept: Server) -> None:
    (kept.folder / "folder").mkdir()
    os.mkfifo(kept.folder / "pipe")
    for name in ("folder", "pipe", "/dev/null"):
        assert "a link, a folder or a device" in export_beside(kept, name, "--force")


@needs_posix
def test_an_export_is_for_its_owner_alone(kept: Server) -> None:
    out = run("export", "all.jsonl", "--db", str(kept.database), home=kept.folder)
    assert out.returncode == 0, out.stderr
    assert stat.S_IMODE((kept.folder / "all.jsonl").stat().st_mode) == 0o600


def names_of(server: Server, folder: Path) -> Iterator[Path]:
    """What leads to the files of a running server."""
    for path in sorted(server.folder.glob("tracker.db*")):
        yield path
        (folder / f"hard-{path.name}").hardlink_to(path)
        yield folder / f"hard-{path.name}"
        (folder / f"soft-{path.name}").symlink_to(path)
        yield folder / f"soft-{path.name}"


@needs_posix
def test_a_backup_never_replaces_a_database(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, other = start_server(key=None), start_server()
    for one in (server, other):
        one.http.headers["X-API-Key"] = (
            KEY if one is other else (server.folder / "tracker.db.api-key").read_text().strip()
        )
        assert one.report("start", "project", "precious").status_code == 201
    targets = list(names_of(server, tmp_path))
    assert {path.name for path in targets} >= {
        *("tracker.db", "tracker.db-wal", "tracker.db-shm", "hard-tracker.db", "soft-tracker.db"),
        *("tracker.db.api-key", "hard-tracker.db-wal"),
    }
    others = [other.folder / f"tracker.db{end}" for end in ("", "-wal", "-shm")]
    for target in (*targets, *others):
        before = target.read_bytes() if "shm" not in target.name else None
        refused(tmp_path, "backup", str(target), "--force", "--db", str(server.database))
        assert before is None or target.read_bytes() == before
    for one in (server, other):
        assert one.report("finish", "project", "precious").status_code == 200
        assert one.stop() == 0
        assert tasks(one.database) == ["precious"]


@needs_posix
def test_a_backup_is_never_written_through_a_link_or_into_a_device(tmp_path: Path) -> None:
    made(tmp_path, "old")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for target in ("link", "dangling", "pipe", "/dev/null"):
        refused(tmp_path, "backup", target, "--force", "--db", "tracker.db")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@needs_posix
@pytest.mark.parametrize("forced", [(), ("--force",)])
@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_a_backup_is_never_put_beside_what_another_database_left(
    tmp_path: Path, end: str, forced: tuple[str, ...]
) -> None:
    made(tmp_path, "new")
    (tmp_path / f"copy.db{end}").write_bytes(b"all there is of another")
    line = refused(tmp_path, "backup", "copy.db", *forced, "--db", "tracker.db")
    assert f"copy.db{end}: left by another database" in line
    assert not (tmp_path / "copy.db").exists()
    assert (tmp_path / f"copy.db{end}").read_bytes() == b"all there is of another"


@needs_posix
def test_a_name_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    made(tmp_path, "precious")
    name = "n" * 300
    for command in (
        "serve",
        "doctor",
        "backup copy",
        "restore tracker.db",
        "export copy",
        "import -",
    ):
        ended = run(*command.split(), "--db", name, home=tmp_path)
        assert b"File name too long" in ended.stdout + ended.stderr
        assert b"Traceback" not in ended.stderr
    for command in ("backup", "restore", "export", "import"):
        assert "File name too long" in refused(tmp_path, command, name, "--db", "tracker.db")
    assert tasks(tmp_path / "tracker.db") == ["precious"]


BESIDE = ("tracker.db", "tracker.db-wal", "tracker.db.lock", "tracker.db.api-key", "notes.json")


@pytest.mark.parametrize("target", BESIDE)
@pytest.mark.parametrize("first", [True, False])
def test_a_ready_file_takes_the_place_of_nothing_else(
    tmp_path: Path, target: str, first: bool
) -> None:
    """The server would replace the file, and remove it in the end."""
    (tmp_path / "notes.json").write_text('{"url": "of something else"}', encoding="utf-8")
    if not first:
        made(tmp_path, "a task")
        (tmp_path / "tracker.db.api-key").write_text(f"{KEY}\n", encoding="utf-8")
    flags = ("--port", "0", "--db", "tracker.db", "--ready-file", target)
    ended = run("serve", *flags, home=tmp_path)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (78, False), ended.stderr
    assert target in ended.stderr.decode().splitlines()[-1]
    if not first or (tmp_path / "tracker.db").exists():
        assert tasks(tmp_path / "tracker.db") == ([] if first else ["a task"])
    assert "of something else" in (tmp_path / "notes.json").read_text(encoding="utf-8")


# --- Import: every row is looked at as the API would, or nothing is taken.


class Spoilt(NamedTuple):
    """The first record of a kind (of an event: of that type), with one field changed. `says`: what
    is told, if it is not told of that line and field."""

    record: str
    field: str
    value: Any
    says: str = ""
    type: str = "task_started"


LEFT_OUT = "left out"

# What no report could have made. Fields of an event's data: data.NAME.
SPOILT = [
    # Numbers that a tracker cannot go on from: "the disk is full" for ever.
    Spoilt("export", "last_id", 2**63 - 1),
    Spoilt("export", "last_id", 2**53),
    Spoilt("export", "last_id", 2**52),  # as many again are left for what comes
    Spoilt("export", "last_id", 2, "line 6: id: "),  # there are more events
    Spoilt("export", "last_id", -1),
    Spoilt("project", "id", 2**53),
    Spoilt("task", "id", 0),
    Spoilt("task", "id", 2**63),
    Spoilt("event", "id", 2**53),
    Spoilt("event", "id", 1_000),  # past last_id
    # A mark past the end: 38,518 notices in 3 seconds.
    Spoilt("export", "pruned", 7),
    Spoilt("export", "pruned", 2**53),
    Spoilt("export", "version", 2),
    Spoilt("export", "gaps", [[7, 7]]),  # past last_id
    Spoilt("export", "gaps", [[2, 2]], "line 5: id: "),  # an event of the file has it
    Spoilt("export", "gaps", [[1, 1]], "{database}: the numbers"),  # one of the database has it
    Spoilt("export", "gaps", [[5, 4]]),
    Spoilt("export", "gaps", [[1]], "line 1: gaps.0: "),
    # Times that cannot be shown: 500 for ever.
    Spoilt("project", "created_at", 2**60),
    Spoilt("project", "updated_at", -1),
    Spoilt("task", "started_at", 2**60),
    Spoilt("task", "started_at", -(2**60)),
    Spoilt("task", "finished_at", 2**60),
    Spoilt("task", "duration_ms", 2**60),
    Spoilt("task", "duration_ms", -1),
    Spoilt("task", "created_at", 253_402_300_800_000),  # the year 10,000
    Spoilt("event", "at", 2**60),
    Spoilt("event", "data.started_at", "yesterday"),
    Spoilt("event", "data.started_at", "2024-02-30T10:00:00.000Z"),
    Spoilt("event", "data.started_at", 1_700_000_000_000),
    # States that contradict themselves.
    Spoilt("task", "status", "walking"),
    Spoilt("task", "status", "running", "line 3: finished_at: "),  # but it has ended
    Spoilt("task", "finished_at", None),
    Spoilt("task", "duration_ms", LEFT_OUT),
    Spoilt("task", "attempt", 0),
    Spoilt("task", "attempt", 2**31),
    Spoilt("task", "progress", 100.5),
    Spoilt("event", "data.status", "completed", "line 5: data.finished_at: "),
    Spoilt("event", "data.attempt", 0),
    Spoilt("event", "data.progress", -1),
    # Numbers that are none, texts that are none.
    Spoilt("project", "id", "1"),
    Spoilt("project", "id", True),
    Spoilt("task", "attempt", 1.0),
    Spoilt("task", "progress", "50"),
    Spoilt("task", "title", 5),
    Spoilt("event", "at", 1.5),
    Spoilt("event", "data.attempt", "1"),
    # Names and texts that a report may not have.
    Spoilt("project", "project", ""),
    Spoilt("project", "project", "p" * 256),
    Spoilt("project", "project", "a\0b"),
    Spoilt("task", "title", "t" * 1001),
    Spoilt("task", "agent", LEFT_OUT),
    Spoilt("task", "message", "m" * 10_001),
    Spoilt("task", "stack_trace", "é" * 6_000),
    Spoilt("task", "metadata", [1]),
    Spoilt("task", "metadata", LEFT_OUT),
    Spoilt("task", "colour", "red", "line 3: 'colour': "),
    # Events that are not what their type, or their place, says.
    Spoilt("event", "type", "task_forgotten"),
    Spoilt("event", "type", "task_finished", "line 5: data.result: "),
    Spoilt("event", "data", "{}"),
    Spoilt("event", "data", {}, "line 5: data.task_id: "),
    Spoilt("event", "data.title", LEFT_OUT),
    Spoilt("event", "data.project", "another", "line 5: data: "),
    Spoilt("event", "data.task_id", "running", "line 5: data: "),
    Spoilt("event", "data.message", LEFT_OUT, type="task_status_updated"),
    Spoilt("event", "data.result", LEFT_OUT, type="task_finished"),
    Spoilt("event", "data.error_type", None, type="task_error"),
    Spoilt("event", "task_id", "nobody's", "line 5: data: "),
    Spoilt("task", "project", "nobody's"),
    Spoilt("event", "project", "nobody's", "line 5: data: "),
    Spoilt("end", "events", 4),
    Spoilt("sentence", "record", "sentence"),
]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has something, but for `exported`."""
    server = Server.start(tmp_path_factory.mktemp("lived_in"))
    server.report("start", "here before")
    assert server.stop() == 0
    return server.database


@pytest.fixture(scope="module")
def exported(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """A real export, which that database takes as it is."""
    folder = tmp_path_factory.mktemp("exported")
    records = export_of_each_kind(folder)
    shutil.copy(lived_in, folder / "tracker.db")
    taken = run("import", "-", "--db", "tracker.db", home=folder, stdin=as_jsonl(records))
    assert taken.returncode == 0, taken.stderr
    return records


def refusal(lived_in: Path, file: Path) -> str:
    """Import what has to be refused into a copy of a database; the line that says why."""
    database = file.parent / "tracker.db"
    shutil.copy(lived_in, database)
    out = run("import", str(file), "--db", str(database), home=file.parent)
    assert (out.returncode, out.stdout) == (78, b""), out.stderr
    assert contents(database) == contents(lived_in)
    _, line = out.stderr.decode().splitlines()  # after what is going to happen
    return line


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda s: f"{s.record} {s.field} {s.value!r:.40}")
def test_a_record_that_no_report_made_is_refused_by_its_line(
    exported: Records, lived_in: Path, tmp_path: Path, spoilt: Spoilt
) -> None:
    records = copy.deepcopy(exported)
    if spoilt.record == "sentence":
        records.insert(3, {})
    at = next(
        number
        for number, record in enumerate(records)
        if record.get("record", spoilt.record) == spoilt.record
        and record.get("type", spoilt.type) == spoilt.type
    )
    *outer, name = spoilt.field.split(".")
    record = records[at]["data"] if outer else records[at]
    if spoilt.value == LEFT_OUT:
        del record[name]
    else:
        record[name] = spoilt.value
    file = tmp_path / "spoilt.jsonl"
    file.write_bytes(as_jsonl(records))
    says = spoilt.says.format(database=tmp_path / "tracker.db")
    says = says or f"line {at + 1}: {spoilt.field}: "
    assert refusal(lived_in, file).startswith(f"tracker: {says}")


# What stands in the cell of a CSV file, and in nothing that reports made.
SPOILT_CELLS = {
    "lines of the stream": ("data", 'x\n\nid: 9\nevent: task_error\ndata: {"forged":1}'),
    "a line break in a text": ("data", '{"task_id":"a\nb"}'),
    "a name given twice": ("data", '{"task_id":"a","task_id":"b"}'),
    "not a number": ("data", '{"progress":NaN}'),
    "nested too deeply": ("data", '{"metadata":' + "[" * 101 + "]" * 101 + "}"),
    "half a character": ("data", '{"task_id":"\\ud800"}'),
    "a number with a mark": ("id", "1_0"),
    "a number of another script": ("id", "１"),
    "a number that is none": ("at", "nan"),
    "a number of a spreadsheet": ("at", "1.7E+12"),
    "another column's": ("progress", "50"),
}


@pytest.mark.parametrize("cell", SPOILT_CELLS)
def test_a_cell_that_no_report_made_is_refused_by_its_line(
    exported: Records, lived_in: Path, tmp_path: Path, cell: str
) -> None:
    name, text = SPOILT_CELLS[cell]
    records = [record | {name: text} if record["record"] == "event" else record
               for record in exported]  # fmt: skip
    file = tmp_path / "spoilt.csv"
    file.write_bytes(as_csv(records))
    assert re.match(rf"tracker: line 6: '?{name}", refusal(lived_in, file))


def test_line_breaks_of_an_import_never_reach_a_stream(exported: Records, tmp_path: Path) -> None:
    """JSON may have them between its tokens, and a stream of events ends its lines with them."""
    records = [
        record | {"data": json.dumps(record["data"], indent="\n")} if "data" in record else record
        for record in exported
    ]
    (tmp_path / "all.csv").write_bytes(as_csv(records))
    assert run("import", "all.csv", "--db", "tracker.db", home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        query = {"since": 0, "api_key": KEY}
        with server.http.stream("GET", "/api/events/stream", params=query) as stream:
            lines = stream.iter_lines()
            data = [next(line for line in lines if line.startswith("data: ")) for _ in range(5)]
        for line, record in zip(data, exported[4:], strict=False):
            assert json.loads(line.removeprefix("data: "))["data"] == record["data"]
    finally:
        assert server.stop() == 0


NO_EXPORTS: dict[str, bytes] = {
    "nothing": b"",
    "empty lines": b"\n\n\n",
    "NUL bytes": b"\0" * 10_000,
    "compressed": gzip.compress(b"something" * 100),
    "UTF-16": '{"record": "export"}\n'.encode("utf-16"),
    "Latin-1": b'{"record": "\xe9"}\n',
    "nested far too deeply": b"[" * 100_000,
    "a number of 100,000 digits": b'{"record":"export","version":1' + b"0" * 100_000 + b"}",
    "no objects": b"[1]\n",
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("name", NO_EXPORTS)
def test_what_is_no_export_is_refused_in_one_line(
    lived_in: Path, tmp_path: Path, name: str, form: str
) -> None:
    file = tmp_path / f"file.{form}"
    file.write_bytes(NO_EXPORTS[name])
    assert refusal(lived_in, file).startswith("tracker: line 1: ")


@needs_posix
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    lived_in: Path, tmp_path: Path, form: str
) -> None:
    """A gigabyte, by a process that may have as much in all."""
    database, file = tmp_path / "tracker.db", tmp_path / f"file.{form}"
    shutil.copy(lived_in, database)
    with file.open("wb") as sparse:
        sparse.truncate(2**30)
    out = subprocess.run(
        ["sh", "-c", 'ulimit -v 1048576; exec "$@"', "sh", *COMMAND, "import", file.name],
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path, TRACKER_DB=str(database)),
        capture_output=True,
        timeout=60,
    )
    assert out.returncode == 78, out.stderr
    assert out.stderr.decode().splitlines()[1:] == [
        "tracker: line 1: over 256 MiB without an end; no export"
    ]
    assert contents(database) == contents(lived_in)


def test_what_cannot_be_read_is_refused_in_one_line(lived_in: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for file in ("folder", "not there"):
        assert f"{file}: cannot be read" in refusal(lived_in, tmp_path / file)


@needs_posix
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_pipe_that_ends_early_adds_nothing(
    exported: Records, lived_in: Path, tmp_path: Path, share: float
) -> None:
    content, pipe = as_jsonl(exported), tmp_path / "pipe"
    os.mkfifo(pipe)
    half = content[: int(len(content) * share)]
    writer = threading.Thread(target=pipe.write_bytes, args=(half,))
    writer.start()
    assert re.match(r"tracker: (line \d+: |the export has no end)", refusal(lived_in, pipe))
    writer.join()


def test_two_exports_in_one_file_are_not_taken_for_one(
    exported: Records, lived_in: Path, tmp_path: Path
) -> None:
    file = tmp_path / "two.jsonl"
    file.write_bytes(as_jsonl(exported) * 2)
    assert f"line {len(exported) + 1}: the export has ended" in refusal(lived_in, file)


def test_a_mark_past_the_end_sends_one_notice_and_then_what_comes(tmp_path: Path) -> None:
    """As earlier imports left it; `last_id` and `pruned` of any file were believed."""
    server = Server.start(tmp_path)
    server.report("start", "p")
    server.stop()
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE marks SET pruned = 1 << 40")
    server = Server.start(tmp_path)
    try:
        with subscribe(address(server, since=0)) as subscriber:
            types = [message["type"] for message in receive(subscriber, 2)]
            assert types == ["resync_required", "task_started"]
            for number in range(3):
                server.report("start", "p", f"task {number}")
            later = receive(subscriber, 3)
            assert [message["type"] for message in later] == ["task_started"] * 3
        since = later[0]["id"]  # nothing is missing after it
        with subscribe(address(server, since=since)) as subscriber:
            assert [message["id"] for message in receive(subscriber, 2)] == [since + 1, since + 2]
    finally:
        assert server.stop() == 0


# --- Numbers after a restore.


def restored(tmp_path: Path, start: Callable[..., Server] = Server.start) -> tuple[Server, int]:
    """A server with the task of a backup, and the last number that was given after the backup."""
    server = start(tmp_path)
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", str(tmp_path / "copy.db"), "--force", *db, home=tmp_path).returncode == 0
    last = server.report("start", "project", "after it").json()["event_id"]
    assert server.stop() == 0
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    return start(tmp_path), last


def test_numbers_are_never_given_twice_however_often_a_backup_is_restored(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        server, last = restored(tmp_path)
        given.append(last)
        given.append(server.report("start", "project", "anew").json()["event_id"])
        assert server.stop() == 0
    assert given == sorted(set(given))
    assert [number for number in given if number % 2**32 == 0] == given[1::2]
    assert given[-1] < 2**53


def test_numbers_go_on_above_those_of_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    server, _ = restored(tmp_path)
    given = server.report("start", "project", "anew").json()["event_id"]
    assert server.stop() == 0
    server.database.write_bytes(b"broken" * 1000)
    db = ("--db", str(server.database))
    assert run("restore", str(tmp_path / "copy.db"), *db, home=tmp_path).returncode == 0
    server = Server.start(tmp_path)
    try:
        assert server.report("start", "project", "anew").json()["event_id"] > given + 1000
    finally:
        assert server.stop() == 0


def test_a_cursor_from_what_was_replaced_is_told_and_others_are_not(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        end = server.http.get("/api/events").json()["last_id"]
        wanted = {0: False, 1: False, last: True, last + 1000: True, end: False, end + 1: True}
        for cursor, is_told in wanted.items():
            page = server.http.get("/api/events", params={"since": cursor}).json()
            assert page["resync_required"] is is_told, cursor
        new = server.report("start", "project", "new").json()["event_id"]
        assert new == end + 1 == 2**32
        for cursor, is_told in wanted.items():
            with closing(open_websocket(server, f"&since={cursor}")) as socket:
                types = [json.loads(read_frame(socket)[1])["type"]] if cursor < new else []
            assert types == ([] if cursor == new else [TOLD if is_told else "task_started"]), cursor
    finally:
        assert server.stop() == 0


TOLD = "resync_required"


def test_the_python_client_hears_of_it(tmp_path: Path) -> None:
    server, last = restored(tmp_path)
    try:
        server.report("start", "project", "new")
        client = Client(server.url, KEY)
        for since, expected in ((last, [TOLD, "in the backup", "new"]), (1, ["new"])):
            seen = [event["data"].get("task_id", event["type"]) for event in client.events(since)]
            assert seen == expected
            stream = client.follow(since)
            heard = [next(stream) for _ in expected]
            assert [event["data"].get("task_id", event["type"]) for event in heard] == expected
            stream.close()
        assert [e["id"] for e in client.newest_events(1)] == [2**32]
        assert [e["id"] for e in client.newest_events(10)] == [1, 2**32]
    finally:
        assert server.stop() == 0


@needs_posix
def test_tail_goes_on_after_a_restore(tmp_path: Path) -> None:
    """Of the tasks that the restore took away, no bar stays on the terminal."""
    server = Server.start(tmp_path / "server")
    server.report("start", "project", "in the backup")
    db = ("--db", str(server.database))
    assert run("backup", "copy.db", *db, home=tmp_path).returncode == 0
    server.report("status", "project", "after it", task="Vanished", progress=50)
    port = str(server.ready["port"])
    terminal = Terminal("tail", "-f", home=tmp_path, server=server)
    try:
        terminal.read_until("Vanished")
        assert server.stop() == 0
        assert run("restore", "copy.db", *db, home=tmp_path).returncode == 0
        server = Server.start(tmp_path / "server", "--port", port)
        terminal.read_until("Older events are gone")
        server.report("start", "project", "new", task="Brand new")
        shown = terminal.read_until("project  Brand new")  # its bar
        assert "Vanished" not in shown.partition("project/new")[2]
    finally:
        terminal.close()
        assert server.stop() == 0


# --- A full disk.


@contextmanager
def file_limit(server: Server, size: int) -> Iterator[None]:
    """Files of the server may not grow beyond that size: as on a full disk, the rest goes on."""
    import resource

    limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process")
def test_the_check_of_the_database_fails_while_reports_are_refused(server: Server) -> None:
    """A WAL that begins anew has room for a small write, as on a disk that is all but full."""
    for number in range(12):
        server.report("start", "project", f"task {number}", metadata={"text": "x" * 9000})
    with closing(apsw.Connection(str(server.database))) as connection:
        connection.execute("SELECT * FROM marks")  # or it knows of no WAL
        assert connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)[0] > 0
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        large = {"text": "x" * 900_000}
        assert server.report("start", "project", "large", metadata=large).status_code == 503
        assert server.report("start", "project", "small").status_code == 201
        for _ in range(2):
            check = server.http.get("/db-check")
            assert (check.status_code, check.json()["status"]) == (503, "error")
            assert "full" in check.json()["message"]
    assert server.http.get("/db-check").status_code == 200
    assert server.report("start", "project", "large", metadata=large).status_code == 201
    assert server.http.get("/db-check").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process")
def test_what_a_full_disk_refuses_does_not_fill_the_log(server: Server) -> None:
    server.report("start", "project")
    with file_limit(server, server.database.with_name("tracker.db-wal").stat().st_size):
        for _ in range(20):
            assert server.report("status", "project", message="x" * 9000).status_code == 503
    assert server.log.count("WARNING") <= 2


def with_file_limit(size: int, *arguments: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    """A command whose files may not grow beyond that size."""
    import resource

    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        cwd=home,
        env=environment(home),
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@needs_posix
def test_a_server_says_that_there_is_no_room_for_its_ready_file(tmp_path: Path) -> None:
    flags = ("--port", "0", "--db", ":memory:", "--ready-file", "ready.json")
    ended = with_file_limit(10, "serve", *flags, home=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines() == [
        f"tracker: {tmp_path / 'ready.json'}: the disk is full; make room, then repeat this"
    ]
    assert list(tmp_path.iterdir()) == []


@needs_posix
def test_prune_makes_room_when_there_is_little(tmp_path: Path) -> None:
    """Its own writing does not need more than the WAL may have."""
    server = Server.start(tmp_path)
    for number in range(150):
        for kind in ("start", "finish"):
            server.report(kind, "project", f"task {number}", metadata={"text": "x" * 5000})
    assert server.stop() == 0
    size = server.database.stat().st_size
    ended = with_file_limit(
        size, "prune", "--older-than", "0s", "--db", "tracker.db", home=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert server.database.stat().st_size < size / 10
    assert tasks(server.database) == []


@needs_posix
def test_prune_says_how_much_room_it_needs(tmp_path: Path) -> None:
    """Where not even the WAL can be moved; what it has removed by then is removed whole."""
    server = Server.start(tmp_path)
    for number in range(60):
        for kind in ("start", "finish"):
            server.report(kind, "project", f"task {number}", metadata={"text": "x" * 9000})
    assert server.stop() == 0
    command = ("prune", "--older-than", "0s", "--db", "tracker.db")
    ended = with_file_limit(40_000, *command, home=tmp_path)
    (line,) = [line for line in ended.stderr.decode().splitlines() if "tracker:" in line]
    assert ended.returncode == 1
    assert re.search(r"the disk is so full .* make \d+ MiB of room", line)
    assert set(tasks(server.database)) <= {f"task {number}" for number in range(60)}
    assert run(*command, home=tmp_path).returncode == 0
    assert tasks(server.database) == []


@needs_posix
def test_commands_say_that_the_disk_is_full(tmp_path: Path) -> None:
    database = made(tmp_path, *(f"task {number}" for number in range(150)))
    shutil.copy(database, tmp_path / "copy.db")
    exported = run("export", "--db", "tracker.db", home=tmp_path).stdout
    (tmp_path / "all.jsonl").write_bytes(exported)
    before = sorted(path.name for path in tmp_path.iterdir())
    for command in (
        ("backup", "new.db", "--db", "tracker.db"),
        ("restore", "copy.db", "--db", "tracker.db"),
        ("import", "all.jsonl", "--db", "new.db"),
        ("export", "new.jsonl", "--db", "tracker.db"),
    ):
        ended = with_file_limit(40_000, *command, home=tmp_path)
        lines = ended.stderr.decode().splitlines()
        assert ended.returncode == 1, (command, lines)
        assert "the disk is" in lines[-1], lines
        assert "full" in lines[-1]
        assert "Traceback" not in ended.stderr.decode()
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert left <= {"new.db", "new.db.lock"}  # an import's, empty
    assert tasks(database) == [f"task {number}" for number in range(150)]


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_full_disk_under_standard_output_is_one_line(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    assert ended == (1, "tracker: standard output: No space left on device")


@needs_full
@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_gone_ends_a_command_quietly(
    shared_server: Server, command: str, tmp_path: Path
) -> None:
    assert printing_to(NOBODY_READS, command, server=shared_server, home=tmp_path) == (141, "")


@needs_full
@pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
def test_a_report_is_recorded_though_its_answer_cannot_be_printed(
    shared_server: Server, project: str, kind: str, tmp_path: Path
) -> None:
    message = " --message m" if kind == "error" else ""
    command = f"{kind} --project '{project}' --task t{message}"
    ended = printing_to(FULL, command, server=shared_server, home=tmp_path)
    event = shared_server.task(project, "t")["events"][-1]["id"]
    assert ended == (
        1,
        "tracker: standard output: No space left on device; "
        f"the report was recorded as event {event}",
    )


# --- Two servers, one database.


@needs_posix
@pytest.mark.parametrize("way", ["lock removed", "hard link", "both", "lock replaced"])
def test_a_second_server_is_kept_out(server: Server, tmp_path: Path, way: str) -> None:
    server.report("start", "project", "first")
    lock = server.folder / "tracker.db.lock"
    database = server.database
    if way in ("lock removed", "both", "lock replaced"):
        lock.unlink()
    if way == "lock replaced":
        lock.touch()
    if way in ("hard link", "both"):
        database = tmp_path / "other.db"
        database.hardlink_to(server.database)
    line = refused(tmp_path, "serve", "--port", "0", "--db", str(database), code=75)
    assert "in use by another server" in line
    assert "in use" in refused(tmp_path, "import", "-", "--db", str(database), code=75)
    assert server.report("finish", "project", "first").status_code == 200
    assert server.stop() == 0
    assert tasks(server.database) == ["first"]


@needs_posix
@pytest.mark.parametrize(
    "command", ["backup copy", "export", "prune --older-than 0s", "doctor", "restore other.db"]
)
def test_commands_beside_a_server_are_kept_from_its_databases_other_names(
    server: Server, tmp_path: Path, command: str
) -> None:
    """By another name they do not find the WAL, and have one of their own."""
    server.report("finish", "project", "first")
    other = tmp_path / "other.db"
    other.hardlink_to(server.database)
    server.report("finish", "project", "second")
    database = "new.db" if command.startswith("restore") else str(other)
    ended = run(*command.split(), "--db", database, home=tmp_path)
    assert b"in use by a server by another name" in ended.stdout + ended.stderr
    assert ended.returncode == (69 if command == "doctor" else 75)
    assert not [*tmp_path.glob("other.db-*"), *tmp_path.glob("copy*")]
    assert run("doctor", "--json", home=tmp_path, server=server).returncode == 0
    assert server.stop() == 0
    assert tasks(server.database) == ["first", "second"]


@needs_posix
def test_a_database_with_several_names_is_told_of(tmp_path: Path) -> None:
    made(tmp_path, "first")
    (tmp_path / "other.db").hardlink_to(tmp_path / "tracker.db")
    server = Server.start(tmp_path)
    assert server.stop() == 0
    assert "tracker.db has 2 names (hard links)" in server.log
    (tmp_path / "other.db").unlink()
    assert b"hard links" not in run("export", "--db", "tracker.db", home=tmp_path).stderr


@needs_posix
def test_commands_beside_a_server_are_let_in(server: Server, tmp_path: Path) -> None:
    """The lock on the file is on a byte of its own: SQLite's locks do not meet it."""
    server.report("start", "project", "first")
    server.report("finish", "project", "first")
    for command in (("backup", "copy.db"), ("export",), ("prune", "--older-than", "1d")):
        assert run(*command, "--db", str(server.database), home=tmp_path).returncode == 0
    server.stop(signal.SIGKILL)
    again = Server.start(server.folder)  # the dead hold nothing
    assert again.report("start", "project", "second").status_code == 201
    assert again.stop() == 0


# --- Who may read the files.


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


# --- Upgrades.


def old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_upgrade_says_what_it_does_and_how_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    server = Server.start(tmp_path)
    newest = len(migrations.steps())
    copy = tmp_path / "tracker.db.v1.backup"
    before, after = (line for line in server.log.splitlines() if "WARNING Upgrad" in line)
    assert f"from schema 1 to {newest}" in before
    assert "copied" in before
    assert f"to schema {newest}" in after
    for words in (str(copy), "to go back", "--upgrade-copies"):
        assert words in after
    assert tasks(copy) == ["old"]

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
    assert tasks(server.database) == ["old"]


def test_a_second_upgrade_keeps_the_first_ones_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup").write_text("from before somebody went back")
    with closing(open_writer(tmp_path / "tracker.db", "full")):
        pass
    assert (tmp_path / "tracker.db.v1.backup").read_text() == "from before somebody went back"
    assert tasks(tmp_path / "tracker.db.v1.2.backup") == ["old"]


@needs_posix
def test_an_upgrade_without_room_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "tracker.db", monkeypatch)
    (tmp_path / "tracker.db.v1.backup.unfinished").write_text("half of what a killed upgrade made")
    ended = with_file_limit(40_000, "serve", "--port", "0", "--db", "tracker.db", home=tmp_path)
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
    assert tasks(tmp_path / "tracker.db") == ["old"]


def test_copies_stay_while_the_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "tracker.db").write_bytes(b"broken" * 1000)
    (tmp_path / "tracker.db.v1.backup").write_text("all there is")
    refused(tmp_path, "prune", "--upgrade-copies", "--db", "tracker.db")
    assert (tmp_path / "tracker.db.v1.backup").exists()
