"""Everything in a database, or in one project, as records, for another tracker to import.

A record is a dictionary of text, numbers and JSON texts (`JSON_COLUMNS`); `tracker.cli.records`
puts it into a file. The first record tells of the export, the last one counts what came between, so
that half a file is not taken for a whole one. Ids stay what they are. Idempotency keys and the
search index are not exported: the one expires within a day, the other is built again. Sessions
that were signed out are the one tracker's, not the other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import apsw
import orjson

from tracker.domain.principal import no_such_project
from tracker.domain.tasks import Task
from tracker.domain.usage import Amounts
from tracker.store.sqlite import events, projects
from tracker.store.sqlite.columns import EVENT, TASK, fill, listed
from tracker.store.sqlite.connection import open_existing, translate_errors

Record = dict[str, Any]
Progress = Callable[[int, int], None]

VERSION: Final = 1

JSON_COLUMNS: Final = ("metadata", "requests", "usage", "data", "gaps")

_COUNTS: Final = ("projects", "tasks", "sessions", "events")
_SESSION: Final = ("host", "lives", "first_at", "last_at")

# Every column that a record may have.
COLUMNS: Final = (
    *("record", "id", "project", "task_id", *EVENT, *TASK, "usage", *_SESSION),
    *("version", "last_id", "pruned", "gaps", *_COUNTS),
)

# As text they are numbers of JSON.
NUMBER_COLUMNS: Final = frozenset({
    *("id", "at", "version", "last_id", "pruned", "lives", "first_at", "last_at", *_COUNTS),
    *(name for name, of in get_type_hints(Task).items() if {int, float} & {of, *get_args(of)}),
})  # fmt: skip

# Those that earlier versions did not write: a field that tasks have had since has a default.
OPTIONAL_COLUMNS: Final = frozenset({
    *("gaps", "usage", "sessions", *_SESSION, *Task._field_defaults),
})  # fmt: skip

_PROJECTS = """
  SELECT id, name AS project, created_at, updated_at FROM projects
  WHERE :project IS NULL OR id = :project ORDER BY id
"""
# What was told of each attempt, and what of it was added to the sums on which day: NULL for none.
_TASKS = fill(
    """
  SELECT tasks.id, projects.name AS project, task_id, {columns}, (
    SELECT json_object(
      'told', json_group_array(
        json_object('attempt', attempt, 'source', source, 'model', model, {told})
      ),
      'added', json((
        SELECT json_group_array(json_object('day', day, 'agent', agent, 'model', model, {told}))
        FROM usage_shares WHERE task = tasks.id
      ))
    )
    FROM usage WHERE task = tasks.id HAVING count(*) > 0
  ) AS usage
  FROM tasks JOIN projects ON projects.id = tasks.project_id
  WHERE :project IS NULL OR tasks.project_id = :project ORDER BY tasks.id
""",
    columns=listed(TASK, "tasks"),
    told=", ".join(f"'{name}', {name}" for name in Amounts._fields),
)
# What their tasks do not tell: of agents that are plugged in.
_SESSIONS = """
  SELECT projects.name AS project, session, agent, host, lives, first_at, last_at
  FROM agent_sessions JOIN projects ON projects.id = agent_sessions.project_id
  WHERE (agent IS NOT NULL OR host IS NOT NULL OR lives)
    AND (:project IS NULL OR project_id = :project)
  ORDER BY agent_sessions.id
"""
_EVENTS = fill(
    """
  SELECT events.id, projects.name AS project, tasks.task_id, {columns}
  FROM events JOIN tasks ON tasks.id = events.task JOIN projects ON projects.id = events.project_id
  WHERE :project IS NULL OR events.project_id = :project ORDER BY events.id
""",
    columns=listed(EVENT, "events"),
)
_COUNT = """
  SELECT (SELECT count(*) FROM projects WHERE :project IS NULL OR id = :project)
    + (SELECT count(*) FROM tasks WHERE :project IS NULL OR project_id = :project)
    + (SELECT count(*) FROM events WHERE :project IS NULL OR project_id = :project)
"""
_GAPS = "SELECT first, last FROM gaps ORDER BY first"

KINDS: Final = ("project", "task", "session", "event")


def export(
    path: Path, project: str | None, progress: Progress, told: dict[str, int]
) -> Iterator[Record]:
    """The records of the database at `path`, all of one moment; at the end, how many of each kind
    are in `told`.

    Raises:
        ConfigError: there is no such database, or it cannot be used.
        NotFound: there is no such project.
    """
    with translate_errors(str(path)), closing(open_existing(path)) as connection:
        connection.execute("BEGIN")
        project_id = None if project is None else projects.find(connection, project)
        if project is not None and project_id is None:
            raise no_such_project(project)
        bounds = events.bounds(connection)
        yield {
            "record": "export",
            "version": VERSION,
            "last_id": bounds.last,
            "pruned": bounds.pruned,
            "gaps": orjson.dumps(connection.execute(_GAPS).fetchall()).decode(),
        }
        of = {"project": project_id}
        total = int(connection.execute(_COUNT, of).get)
        counts: Counter[str] = Counter()
        for kind, sql in zip(KINDS, (_PROJECTS, _TASKS, _SESSIONS, _EVENTS), strict=True):
            for record in _rows(connection, kind, sql, of):
                yield record
                counts[f"{kind}s"] += 1
                if counts.total() % 1000 == 0:
                    progress(counts.total(), total)
        progress(total, total)
        told.update({f"{kind}s": counts[f"{kind}s"] for kind in KINDS})
        # Trackers that do not know of sessions can read what has none.
        end = {name: count for name, count in told.items() if count or name != "sessions"}
        yield {"record": "end", **end}


def _rows(
    connection: apsw.Connection, kind: str, sql: str, parameters: dict[str, Any]
) -> Iterator[Record]:
    cursor = connection.execute(sql, parameters)
    names: list[str] | None = None
    for row in cursor:
        names = names or [column[0] for column in cursor.get_description()]
        yield {"record": kind, **dict(zip(names, row, strict=True))}
