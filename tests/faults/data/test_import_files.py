"""Import: a file that is no export, or only a part of one, adds nothing."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.exported import (
    Records,
    as_jsonl,
    contents,
    import_refused,
)
from tests.support.platforms import needs_posix
from tests.support.server import COMMAND, Server, environment
from tests.support.subscriber import address, receive, subscribe

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
    assert import_refused(lived_in, file).startswith("tracker: line 1: ")


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
    assert out.stderr.decode().splitlines() == [
        "tracker: line 1: over 256 MiB without an end; no export"
    ]
    assert contents(database) == contents(lived_in)


def test_what_cannot_be_read_is_refused_in_one_line(lived_in: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for file in ("folder", "not there"):
        assert f"{file}: cannot be read" in import_refused(lived_in, tmp_path / file)


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
    assert re.match(r"tracker: (line \d+: |the export has no end)", import_refused(lived_in, pipe))
    writer.join()


def test_two_exports_in_one_file_are_not_taken_for_one(
    exported: Records, lived_in: Path, tmp_path: Path
) -> None:
    file = tmp_path / "two.jsonl"
    file.write_bytes(as_jsonl(exported) * 2)
    assert f"line {len(exported) + 1}: the export has ended" in import_refused(lived_in, file)


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
