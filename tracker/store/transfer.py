"""Everything in a database, or in one project, as records: out of one tracker, into another.

A record is a dictionary of text, numbers and JSON texts (`JSON_COLUMNS`); `tracker.cli.records`
puts it into a file. The first record tells of the export, the last one counts what came between, so
that half a file is not taken for a whole one. Ids stay what they are. Idempotency keys and the
search index are not exported: the one expires within a day, the other is built again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw

from tracker.errors import ConfigError
from tracker.store import events, projects
from tracker.store.connection import one_line, open_existing, open_writer
from tracker.store.lock import DatabaseLock
from tracker.store.recovery import recover

Record = dict[str, Any]
Progress = Callable[[int, int], None]

VERSION: Final = 1

JSON_COLUMNS: Final = ("metadata", "data")

# Every column that a record may have.
COLUMNS: Final = (
    *("record", "id", "project", "task_id", "type", "at", "data"),
    *("title", "agent", "status", "progress", "attempt", "started_at", "finished_at"),
    *("duration_ms", "message", "result", "error_type", "error_message", "stack_trace"),
    *("metadata", "created_at", "updated_at"),
    *("version", "last_id", "pruned", "projects", "tasks", "events"),
)

_PROJECTS = """
  SELECT id, name AS project, created_at, updated_at FROM projects
  WHERE :project IS NULL OR id = :project ORDER BY id
"""
_TASKS = """
  SELECT tasks.id, projects.name AS project, task_id,
    title, agent, status, progress, attempt, started_at, finished_at, tasks.duration_ms,
    message, result, error_type, error_message, stack_trace, metadata,
    tasks.created_at, tasks.updated_at
  FROM tasks JOIN projects ON projects.id = tasks.project_id
  WHERE :project IS NULL OR tasks.project_id = :project ORDER BY tasks.id
"""
_EVENTS = """
  SELECT events.id, projects.name AS project, tasks.task_id, type, at, data
  FROM events JOIN tasks ON tasks.id = events.task JOIN projects ON projects.id = events.project_id
  WHERE :project IS NULL OR events.project_id = :project ORDER BY events.id
"""
_COUNT = """
  SELECT (SELECT count(*) FROM projects WHERE :project IS NULL OR id = :project)
    + (SELECT count(*) FROM tasks WHERE :project IS NULL OR project_id = :project)
    + (SELECT count(*) FROM events WHERE :project IS NULL OR project_id = :project)
"""
_INSERT_PROJECT = """
  INSERT INTO projects (id, name, created_at, updated_at)
  VALUES (:id, :project, :created_at, :updated_at)
"""
_INSERT_TASK = """
  INSERT INTO tasks (
    id, project_id, task_id,
    title, agent, status, progress, attempt, started_at, finished_at, duration_ms,
    message, result, error_type, error_message, stack_trace, metadata, created_at, updated_at
  ) VALUES (
    :id, (SELECT id FROM projects WHERE name = :project), :task_id,
    :title, :agent, :status, :progress, :attempt, :started_at, :finished_at, :duration_ms,
    :message, :result, :error_type, :error_message, :stack_trace, :metadata,
    :created_at, :updated_at
  )
"""
_INSERT_EVENT = """
  INSERT INTO events (id, project_id, task, type, at, data)
  SELECT :id, projects.id, tasks.id, :type, :at, :data
  FROM tasks JOIN projects ON projects.id = tasks.project_id
  WHERE tasks.task_id = :task_id AND projects.name = :project
"""
# Tasks set it by their trigger as they are inserted.
_TOUCH_PROJECT = "UPDATE projects SET updated_at = :updated_at WHERE id = :id"
_MOVE_MARKS = """
  UPDATE marks SET pruned = max(pruned, :pruned), searched = min(searched, :searched)
"""
_NEXT_ID = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
    "UPDATE sqlite_sequence SET seq = max(seq, :last_id) WHERE name = 'events'",
)

_INSERTS: Final = {"project": _INSERT_PROJECT, "task": _INSERT_TASK, "event": _INSERT_EVENT}


def export(path: Path, project: str | None, progress: Progress) -> Iterator[Record]:
    """The records of the database at `path`, all of one moment.

    Raises:
        ConfigError: there is no such database or project, or it cannot be used.
    """
    with one_line(str(path)), closing(open_existing(path)) as connection:
        connection.execute("BEGIN")
        project_id = None if project is None else projects.find(connection, project)
        if project is not None and project_id is None:
            raise ConfigError(f"{path}: there is no project {project!r}")
        bounds = events.bounds(connection)
        yield {
            "record": "export",
            "version": VERSION,
            "last_id": bounds.last,
            "pruned": bounds.pruned,
        }
        of = {"project": project_id}
        total = int(connection.execute(_COUNT, of).get)
        counts: Counter[str] = Counter()
        for kind, sql in (("project", _PROJECTS), ("task", _TASKS), ("event", _EVENTS)):
            for record in _rows(connection, kind, sql, of):
                yield record
                counts[f"{kind}s"] += 1
                if counts.total() % 1000 == 0:
                    progress(counts.total(), total)
        progress(total, total)
        yield {"record": "end", **{f"{kind}s": counts[f"{kind}s"] for kind in _INSERTS}}


def import_(path: Path, records: Iterable[Record]) -> dict[str, int]:
    """Add all `records` to the database at `path`, made if there is none; nothing if anything is
    wrong. How many of each kind.

    Raises:
        InUse: a server has the database.
        ConfigError: not the whole of an export, or ids or names in it are taken.
    """
    held = DatabaseLock(path)
    try:
        recover(path)
        with closing(open_writer(path, "full")) as connection, one_line(str(path)), connection:
            counts = _insert(connection, path, iter(records))
    finally:
        held.release()
    return counts


def _rows(
    connection: apsw.Connection, kind: str, sql: str, parameters: dict[str, Any]
) -> Iterator[Record]:
    cursor = connection.execute(sql, parameters)
    names: list[str] | None = None
    for row in cursor:
        names = names or [column[0] for column in cursor.get_description()]
        yield {"record": kind, **dict(zip(names, row, strict=True))}


def _insert(connection: apsw.Connection, path: Path, records: Iterator[Record]) -> dict[str, int]:
    head = next(records, {})
    if head.get("record") != "export" or head.get("version") != VERSION:
        raise ConfigError("this is no export, or one of another version")
    before = events.last_id(connection)
    counts: Counter[str] = Counter()
    touched: list[Record] = []
    first_event = head["last_id"]
    for record in records:
        kind = record.get("record")
        if kind == "end":
            _check_counts(record, counts)
            break
        if kind not in _INSERTS:
            raise ConfigError(f"{kind!r} is no record of an export")
        _add(connection, path, str(kind), record)
        counts[f"{kind}s"] += 1
        if kind == "project":
            touched.append(record)
        elif kind == "event":
            first_event = min(first_event, record["id"])
    else:
        raise ConfigError("the export has no end: the file is not whole")
    for record in touched:
        connection.execute(_TOUCH_PROJECT, record)
    for sql in _NEXT_ID:
        connection.execute(sql, head)
    # Whoever followed the log that was here before has missed what is now in its midst.
    pruned = max(head["pruned"], before)
    connection.execute(_MOVE_MARKS, {"pruned": pruned, "searched": first_event - 1})
    return {f"{kind}s": counts[f"{kind}s"] for kind in _INSERTS}


def _add(connection: apsw.Connection, path: Path, kind: str, record: Record) -> None:
    name = f"the {kind} {record.get('id')}"
    try:
        connection.execute(_INSERTS[kind], record)
    except apsw.ConstraintError as error:
        raise ConfigError(
            f"{path}: has {name} already, or it is not valid ({error}); import into a new database"
        ) from None
    except (apsw.Error, TypeError, KeyError) as error:
        raise ConfigError(f"{name} is not as an export has it: {error}") from None
    if connection.changes() != 1:
        raise ConfigError(f"{name} belongs to a task that is not there")


def _check_counts(end: Record, counts: Counter[str]) -> None:
    for kind in _INSERTS:
        if end.get(f"{kind}s") != counts[f"{kind}s"]:
            raise ConfigError(f"the export says {end.get(f'{kind}s')} {kind}s, but has others")
