"""Exports to corrupt: a real one as records, records as a file, and imports that are refused."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tests.support.cli import run
from tests.support.load import problems
from tests.support.server import Server
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.admin.export import COLUMNS

Records = list[dict[str, Any]]

TABLES = {
    "projects": "SELECT * FROM projects ORDER BY id",
    "tasks": "SELECT * FROM tasks ORDER BY id",
    "events": "SELECT * FROM events ORDER BY id",
    "agents": "SELECT * FROM agents ORDER BY name",
    "days": "SELECT * FROM days ORDER BY project_id, day",
    "usage": "SELECT * FROM usage ORDER BY task, attempt, source, model",
    "usage_shares": "SELECT * FROM usage_shares ORDER BY task, model, day, agent",
    "usage_sums": "SELECT * FROM usage_sums ORDER BY project_id, kind, name",
    # When they reported is not kept of tasks that have left them.
    "agent_sessions": """
      SELECT project_id, session, agent, host, lives, pending, running, completed, failed
      FROM agent_sessions
      ORDER BY project_id, session
    """,
    "gaps": "SELECT * FROM gaps ORDER BY first",
    "last event": "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'",
    "pruned": "SELECT pruned FROM marks",
}


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that matters in a database."""
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []
        return {name: connection.execute(sql).fetchall() for name, sql in TABLES.items()}


def export_of_each_kind(folder: Path) -> Records:
    """What `tracker export` writes of the second project of a tracker, with a task that ended and
    one that has not, and an event of each type."""
    server = Server.start(folder)
    server.report("start", "here before")
    for kind in ("start", "status", "error", "finish"):
        server.report(kind, "p", "ended")
    server.report("start", "p", "running")
    assert server.stop() == 0
    out = run("export", "--project", "p", "--db", "tracker.db", home=folder)
    assert out.returncode == 0, out.stderr
    return [json.loads(line) for line in out.stdout.splitlines()]


def as_jsonl(records: Records) -> bytes:
    """The file that `tracker export` would have written."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def as_csv(records: Records) -> bytes:
    """Likewise, for records without empty texts and formulas. JSON may be given as its text."""
    rows = [
        {
            name: json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in record.items()
        }
        for record in records
    ]
    return as_table(rows, [*COLUMNS, "empty", "quoted"])


def cells(table: bytes) -> list[dict[str, str]]:
    """A table as a spreadsheet takes it apart."""
    csv.field_size_limit(10**8)
    return list(csv.DictReader(io.StringIO(table.decode(), newline="")))


def as_table(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    """A table as a spreadsheet saves it."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def import_refused(lived_in: Path, file: Path) -> str:
    """Import what has to be refused into a copy of a database; the line that says why."""
    database = file.parent / "tracker.db"
    shutil.copy(lived_in, database)
    out = run("import", str(file), "--db", str(database), home=file.parent)
    assert (out.returncode, out.stdout) == (78, b""), out.stderr
    assert contents(database) == contents(lived_in)
    *_, line = out.stderr.decode().splitlines()  # after what is going to happen, if it is
    return line
