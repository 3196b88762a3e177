"""Projects: the list, and deleting one."""

from __future__ import annotations

from typing import get_args

import apsw
import orjson

from tracker.domain.principal import Scope
from tracker.domain.queries import ProjectQuery, ProjectSort
from tracker.domain.records import DayCount, ProjectPage, ProjectSummary, StatusCounts
from tracker.store.sqlite import events, usage
from tracker.store.sqlite.columns import fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter
from tracker.text import is_unicode

_LIST = fill(
    """
  SELECT id, name, created_at, updated_at, {counts}, (
    SELECT json_group_array(json_array(day, completed, failed)) FROM (
      SELECT day, completed, failed FROM days
      WHERE :activity_days AND project_id = projects.id ORDER BY day DESC LIMIT :activity_days
    )
  )
  FROM projects WHERE {in_scope} ORDER BY {order}, id {direction} LIMIT :limit OFFSET :offset
""",
    counts=listed(StatusCounts._fields),
    in_scope=IN_SCOPE,
)
_COUNT = fill("SELECT count(*) FROM projects WHERE {in_scope}", in_scope=IN_SCOPE)
_IDS = fill("SELECT id FROM projects WHERE {in_scope}", in_scope=IN_SCOPE)
_ID = "SELECT id FROM projects WHERE name = ?"
_EXISTS = "SELECT EXISTS (SELECT 1 FROM projects WHERE id = ?)"
_NEWEST_TASK = "SELECT max(id) FROM tasks WHERE project_id = ?"
_SOME_TASKS = "SELECT id FROM tasks WHERE project_id = ? AND id <= ? LIMIT ?"
_DELETE_TASKS = "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))"
_DELETE_EMPTY = """
  DELETE FROM projects
  WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tasks WHERE project_id = projects.id)
"""


def page(connection: apsw.Connection, scope: Scope, query: ProjectQuery) -> ProjectPage:
    """A page of the list."""
    order, direction = _order(query)
    of = {"scope": parameter(scope)}
    sql = _LIST.format(order=order, direction=direction)
    rows = connection.execute(sql, {**of, **query._asdict()})
    projects = [
        ProjectSummary(
            *(id_, name, created_at, updated_at),
            StatusCounts._make(counts),
            _activity(days) if query.activity_days else None,
        )
        for id_, name, created_at, updated_at, *counts, days in rows
    ]
    return ProjectPage(projects, connection.execute(_COUNT, of).get)


def _activity(days: str) -> list[DayCount]:
    return [DayCount._make(day) for day in reversed(orjson.loads(days))]


def find(connection: apsw.Connection, name: str) -> int | None:
    """The project's id."""
    if not is_unicode(name):  # an argument that is not UTF-8: no project has such a name
        return None
    row = connection.execute(_ID, (name,)).fetchone()
    return None if row is None else int(row[0])


def ids(connection: apsw.Connection, scope: Scope) -> list[int]:
    """The ids of those that exist for somebody."""
    return [id_ for (id_,) in connection.execute(_IDS, {"scope": parameter(scope)})]


def newest_task(connection: apsw.Connection, project_id: int) -> int:
    """The highest task id in the project; 0 when it has none."""
    return connection.execute(_NEWEST_TASK, (project_id,)).get or 0


def exists(connection: apsw.Connection, project_id: int) -> bool:
    """Whether it has not been deleted."""
    return bool(connection.execute(_EXISTS, (project_id,)).get)


def delete_some(
    connection: apsw.Connection, project_id: int, upto: int, max_events: int, max_tasks: int
) -> bool:
    """Delete some events of the project's tasks with id <= `upto`, when there are none some of the
    tasks, and with the last of its tasks the project. True when none of them is left."""
    if events.delete_some_of_project(connection, project_id, upto, max_events):
        return False
    tasks = [id_ for (id_,) in connection.execute(_SOME_TASKS, (project_id, upto, max_tasks))]
    usage.take_back(connection, tasks)
    connection.execute(_DELETE_TASKS, (orjson.dumps(tasks).decode(),))
    if len(tasks) == max_tasks:
        return False
    usage.take_back_project(connection, project_id)
    delete_if_empty(connection, project_id)
    return True


def delete_if_empty(connection: apsw.Connection, project_id: int) -> None:
    """Delete the project unless it has a task."""
    connection.execute(_DELETE_EMPTY, (project_id,))


def _order(query: ProjectQuery) -> tuple[str, str]:
    if query.sort_by not in get_args(ProjectSort):
        raise ValueError(query.sort_by)
    direction = "DESC" if query.descending else "ASC"
    return f"{query.sort_by} {direction}", direction
