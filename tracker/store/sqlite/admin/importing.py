"""Imports what `tracker.store.sqlite.admin.export` exported.

The file is not trusted: no import may make a database that the server cannot serve. Each record is
validated as strictly as the API validates a report (`tracker.store.sqlite.admin.records`) before it
is inserted, and a file with any error is not imported at all.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import orjson

from tracker.clock import Clock
from tracker.domain.audit import Action, Actor, Deed
from tracker.domain.limits import MAX_ID
from tracker.errors import ConfigError, ValidationFailed
from tracker.store.sqlite import audit, deletions, events, usage
from tracker.store.sqlite.admin.export import KINDS
from tracker.store.sqlite.admin.records import (
    End,
    Event,
    Project,
    Session,
    Task,
    invalid,
    read,
    read_event,
    read_head,
)
from tracker.store.sqlite.columns import EVENT, TASK, fill, listed, parameters
from tracker.store.sqlite.connection import open_writer, translate_errors
from tracker.store.sqlite.lock import DatabaseLock
from tracker.store.sqlite.recovery import recover
from tracker.store.sqlite.sidecars import SIDECARS

# The line where a record begins, and the record, parsed.
NumberedRecord = tuple[int, dict[str, Any]]

_INSERT_PROJECT = """
  INSERT INTO projects (id, name, created_at, updated_at)
  VALUES (:id, :project, :created_at, :updated_at)
"""
_INSERT_TASK = fill(
    """
  INSERT INTO tasks (id, project_id, task_id, {columns})
  VALUES (:id, :project_id, :task_id, {values})
""",
    columns=listed(TASK),
    values=parameters(TASK),
)
# Its tasks come before it, and have made it, if it has any.
_INSERT_SESSION = """
  INSERT INTO agent_sessions (
    project_id, session, agent, host, lives, first_at, last_at, pending, running, completed, failed
  ) VALUES (:project_id, :session, :agent, :host, :lives, :first_at, :last_at, 0, 0, 0, 0)
  ON CONFLICT (project_id, session) DO UPDATE SET agent = excluded.agent, host = excluded.host,
    lives = excluded.lives, first_at = excluded.first_at, last_at = excluded.last_at
"""
_INSERT_EVENT = fill(
    """
  INSERT INTO events (id, project_id, task, {columns})
  SELECT :id, project_id, id, {values}
  FROM tasks WHERE task_id = :task_id AND project_id = :project_id
""",
    columns=listed(EVENT),
    values=parameters(EVENT),
)
# Tasks set it by their trigger as they are inserted.
_TOUCH_PROJECT = "UPDATE projects SET updated_at = ? WHERE id = ?"
_INSERT_GAP = """
  INSERT INTO gaps (first, last) VALUES (?, ?)
  ON CONFLICT (first) DO UPDATE SET last = max(last, excluded.last)
"""
# The database may have had gaps and events before.
_GAP_IN_USE = """
  SELECT first FROM gaps
  WHERE EXISTS (SELECT 1 FROM events WHERE id BETWEEN gaps.first AND gaps.last)
    OR EXISTS (
      SELECT 1 FROM gaps AS later
      WHERE later.first > gaps.first AND later.first <= gaps.last
    )
  LIMIT 1
"""
_MOVE_MARKS = """
  UPDATE marks SET pruned = max(pruned, :pruned), searched = min(searched, :before),
    messages_pruned = min(messages_pruned, :before)
"""
_NEXT_ID = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
    "UPDATE sqlite_sequence SET seq = max(seq, :last_id) WHERE name = 'events'",
)


def import_(
    path: Path,
    records: Iterable[NumberedRecord],
    *,
    file: str,
    begin: Callable[[], None],
    progress: Callable[[int, int], None],
    by: Actor,
    clock: Clock,
) -> dict[str, int]:
    """Add all `records` to the database at `path`, or none of them: one that is not there is made
    then, and only then. Returns how many of each kind. `begin` is called once the file's begin and
    the database were looked at; `progress` with how many records were added, of how many is not
    known. `file`, `by`: what the audit log names.

    Raises:
        InUse: a server has the database.
        ConfigError: not the whole of an export, or ids or names in it are taken.
    """
    lock = DatabaseLock(path)
    is_new = False
    try:
        recover(path)
        is_new = not any(one.exists() and one.stat().st_size for one in _sqlite_files(path))
        with (
            closing(open_writer(path, "full")) as connection,
            translate_errors(str(path)),
            connection,
        ):
            lock.confirm()
            counts = _Import(connection, path, begin, progress).run(iter(records))
            deed = Deed(Action.IMPORTED, by, details={"file": file, **counts})
            audit.add(connection, clock.now_ms(), deed)
    except BaseException:
        if is_new:  # nothing came into it
            for made in _sqlite_files(path):
                made.unlink(missing_ok=True)
        raise
    finally:
        lock.release()
    return counts


def _sqlite_files(path: Path) -> list[Path]:
    return [Path(f"{path.resolve()}{end}") for end in ("", *SIDECARS)]


class _Import:
    """One import, in the caller's transaction."""

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path,
        begin: Callable[[], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self._connection = connection
        self._path = path
        self._begin = begin
        self._progress = progress
        self._projects: dict[str, Project] = {}  # of the file: others have nothing to do with it
        self._counts: Counter[str] = Counter()
        self._gaps: list[list[int]] = []
        self._last_id = self._first_event = 0

    def run(self, records: Iterator[NumberedRecord]) -> dict[str, int]:
        """Add all records. Raises ConfigError."""
        before = events.last_id(self._connection)
        line, fields = next(records, (1, {}))
        with self._translate_errors(line):
            head = read_head(fields)
        self._begin()
        self._gaps, self._last_id, self._first_event = head.gaps, head.last_id, head.last_id
        for line, fields in records:
            with self._translate_errors(line):
                if fields.get("record") == "end":
                    self._check_counts(read(End, fields))
                    break
                self._add(fields)
        else:
            raise ConfigError("the export has no end: the file is not whole")
        for line, _ in records:
            raise ConfigError(f"line {line}: the export has ended before; import one at a time")
        for project in self._projects.values():
            self._connection.execute(_TOUCH_PROJECT, (project.updated_at, project.id))
        # Whoever followed the log that was here before has missed what is now in its midst. That it
        # was followed to its end shows only in a number that no event will have.
        if before and self._first_event <= before:
            before += 1
        marks = {"pruned": max(head.pruned, before), "before": max(0, self._first_event - 1)}
        self._connection.execute(_MOVE_MARKS, marks)
        deletions.forget(self._connection)
        for sql in _NEXT_ID:
            self._connection.execute(sql, {"last_id": max(head.last_id, before)})
        self._add_gaps(head.gaps)
        return {f"{kind}s": self._counts[f"{kind}s"] for kind in KINDS}

    def _add(self, fields: dict[str, Any]) -> None:
        match kind := fields.get("record"):
            case "project":
                self._add_project(read(Project, fields))
            case "task":
                self._add_task(read(Task, fields))
            case "session":
                self._add_session(read(Session, fields))
            case "event":
                self._add_event(read_event(fields))
            case _:
                raise invalid("record", f"{kind!r:.100} is no record of an export")
        self._counts[f"{kind}s"] += 1
        if (added := self._counts.total()) % 500 == 0:
            self._progress(added, 0)

    def _add_project(self, project: Project) -> None:
        self._connection.execute(_INSERT_PROJECT, vars(project))
        self._projects[project.project] = project

    def _add_task(self, task: Task) -> None:
        row = {**vars(task), "project_id": self._project_id(task)}
        row["metadata"] = orjson.dumps(task.metadata).decode()
        if task.requests is not None:
            row["requests"] = orjson.dumps([vars(request) for request in task.requests]).decode()
        self._connection.execute(_INSERT_TASK, row)
        if task.usage is not None:
            of = (task.id, row["project_id"], task.session)
            usage.restore(self._connection, *of, task.usage.attempts, task.usage.shares)

    def _add_session(self, session: Session) -> None:
        row = {**vars(session), "project_id": self._project_id(session)}
        self._connection.execute(_INSERT_SESSION, row)

    def _add_event(self, event: Event) -> None:
        if event.id > self._last_id:
            raise invalid("id", "this is greater than the last_id of the export")
        gaps_before = bisect(self._gaps, [event.id, MAX_ID])
        if gaps_before and event.id <= self._gaps[gaps_before - 1][1]:
            raise invalid("id", "this is in one of the gaps of the export")
        # Not as it came: a line break between its tokens would end a line of server-sent events.
        data = orjson.dumps(event.data).decode()
        row = {**vars(event), "project_id": self._project_id(event), "data": data}
        self._connection.execute(_INSERT_EVENT, row)
        if self._connection.changes() != 1:
            raise invalid("task_id", "there is no such task before it in the export")
        self._first_event = min(self._first_event, event.id)

    def _project_id(self, record: Task | Session | Event) -> int:
        try:
            return self._projects[record.project].id
        except KeyError:
            raise invalid("project", "there is no such project before it in the export") from None

    def _add_gaps(self, gaps: list[list[int]]) -> None:
        for gap in gaps:
            self._connection.execute(_INSERT_GAP, gap)
        used = self._connection.execute(_GAP_IN_USE).get
        if used is not None:
            raise ConfigError(
                f"{self._path}: the numbers of events from {used} on are a gap in the export or in "
                "the database, and not in the other; import into a new database"
            )

    def _check_counts(self, end: End) -> None:
        for name, count in vars(end).items():
            if name != "record" and count != self._counts[name]:
                raise invalid(
                    name,
                    f"the end of the export counts {count}, but there are "
                    f"{self._counts[name]}: the file is not whole",
                )

    @contextmanager
    def _translate_errors(self, line: int) -> Iterator[None]:
        """Turn the error of a record into one line for the user. Raises ConfigError."""
        try:
            yield
        except ValidationFailed as error:
            field, issue = error.issues[0]
            raise ConfigError(f"line {line}: {field}: {issue}") from None
        except apsw.ConstraintError as error:
            found = re.fullmatch(r"UNIQUE constraint failed: \w+\.(\w+).*", str(error))
            if found is None:  # sums that grow past 64 bits
                raise ConfigError(f"line {line}: this cannot be added: {error}") from None
            field = "project" if found[1] == "name" else found[1]
            raise ConfigError(
                f"line {line}: {field}: {self._path} or the export has it already; "
                "import into a new database"
            ) from None
