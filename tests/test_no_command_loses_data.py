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
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli import run
from tests.exported import Records, as_csv, as_jsonl, contents, export_of_each_kind
from tests.server import COMMAND, KEY, Server, environment
from tests.subscriber import address, receive, subscribe

needs_posix = pytest.mark.skipif(os.name == "nt", reason="pipes, modes and ulimit are POSIX")

# --- Restore.


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
        "tracker: line 1: over 32 MiB without an end; no export"
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


# --- A full disk.


# --- Two servers, one database.


# --- Who may read the files.


# --- Upgrades.
