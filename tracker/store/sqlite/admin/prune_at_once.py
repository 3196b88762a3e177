"""Removes many tasks in one transaction, of a database that no server has.

What triggers would do for each task is done for all of them together, and where most tasks go the
indexes are made again of those that stay: seconds in place of minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import apsw

from tracker.store.sqlite import deletions, projects, pruning, search
from tracker.store.sqlite.columns import fill

Progress = Callable[[int, int], None]

# Tasks that are removed between two calls of Progress, and events that are indexed.
_TASKS: Final = 5_000
_EVENTS: Final = 20_000

# How long the end waits for others who read.
_BUSY_TIMEOUT_MS: Final = 1_000

_GONE: Final = (
    "DROP TABLE IF EXISTS temp.gone",
    """
  CREATE TEMP TABLE gone AS
  SELECT project_id, agent, session, finished_at / 86400000 AS day, duration_ms,
    status = 'completed' AS completed, status = 'failed' AS failed
  FROM temp.doomed CROSS JOIN main.tasks ON tasks.id = doomed.task
""",
)
_SUMS: Final = """
  (SELECT {by}, count(*) AS tasks, sum(completed) AS completed, sum(failed) AS failed,
    sum(duration_ms) AS duration_ms
  FROM temp.gone GROUP BY {by}) AS gone
"""


def _with_gone(sql: str) -> str:
    return re.sub(r"\{gone by (.+?)\}", lambda by: fill(_SUMS, by=by[1]), sql)


# As the triggers on the deletion of a task: `task_deleted`, `…_by`, `…_in_session`.
_COUNT: Final = tuple(
    _with_gone(sql)
    for sql in (
        """
  UPDATE projects SET completed = projects.completed - gone.completed,
    failed = projects.failed - gone.failed, duration_ms = projects.duration_ms - gone.duration_ms
  FROM {gone by project_id} WHERE gone.project_id = projects.id
""",
        """
  UPDATE agents SET task_count = task_count - gone.tasks,
    completed = agents.completed - gone.completed, failed = agents.failed - gone.failed,
    duration_ms = agents.duration_ms - gone.duration_ms
  FROM {gone by agent} WHERE gone.agent = agents.name
""",
        "DELETE FROM agents WHERE task_count = 0",
        """
  UPDATE project_agents SET task_count = task_count - gone.tasks,
    completed = project_agents.completed - gone.completed,
    failed = project_agents.failed - gone.failed,
    duration_ms = project_agents.duration_ms - gone.duration_ms
  FROM {gone by project_id, agent}
  WHERE gone.project_id = project_agents.project_id AND gone.agent = project_agents.name
""",
        "DELETE FROM project_agents WHERE task_count = 0",
        """
  UPDATE days SET completed = days.completed - gone.completed, failed = days.failed - gone.failed
  FROM {gone by project_id, day}
  WHERE gone.project_id = days.project_id AND gone.day = days.day
""",
        "DELETE FROM days WHERE completed = 0 AND failed = 0",
        """
  UPDATE agent_sessions SET completed = agent_sessions.completed - gone.completed,
    failed = agent_sessions.failed - gone.failed
  FROM {gone by project_id, session}
  WHERE gone.project_id = agent_sessions.project_id AND gone.session = agent_sessions.session
""",
    )
)
_MARK: Final = """
  UPDATE marks SET pruned = max(pruned, coalesce((
    SELECT max(id) FROM events WHERE task IN (SELECT task FROM temp.doomed)
  ), 0))
"""
_SOME: Final = "SELECT max(task) FROM (SELECT task FROM doomed WHERE task > ? ORDER BY 1 LIMIT ?)"
_OF_THESE: Final = "(SELECT task FROM temp.doomed WHERE task > :after AND task <= :upto)"
_DELETE: Final = (
    fill("DELETE FROM events WHERE task IN {these}", these=_OF_THESE),
    fill("DELETE FROM usage WHERE task IN {these}", these=_OF_THESE),
    fill("DELETE FROM usage_shares WHERE task IN {these}", these=_OF_THESE),
    fill("DELETE FROM tasks WHERE id IN {these}", these=_OF_THESE),
)
_FORGET: Final = (
    fill("DELETE FROM search WHERE rowid IN {these}", these=_OF_THESE),
    fill("DELETE FROM project_search WHERE rowid IN {these}", these=_OF_THESE),
)
_FORGET_ALL: Final = (
    "INSERT INTO search (search) VALUES ('delete-all')",
    "INSERT INTO project_search (project_search) VALUES ('delete-all')",
    "UPDATE marks SET searched = 0, project_searched = 0",
)
_MARKS: Final = "SELECT searched, project_searched FROM marks"
_EMPTY_SESSIONS: Final = """
  DELETE FROM agent_sessions
  WHERE pending + running + completed + failed = 0
    AND (project_id, session) IN (SELECT project_id, session FROM temp.gone)
"""
# Of tasks; without those that SQLite makes by itself.
_INDEXES: Final = """
  SELECT name, sql FROM sqlite_schema
  WHERE type = 'index' AND tbl_name = 'tasks' AND sql IS NOT NULL
"""
_MAKES_AGAIN: Final = "SELECT 2 * (SELECT count(*) FROM doomed) > (SELECT count(*) FROM tasks)"


def remove_doomed(connection: apsw.Connection, progress: Progress) -> None:
    """Remove the ended tasks in `doomed`, in the caller's transaction."""
    count = int(connection.execute("SELECT count(*) FROM doomed").get)
    makes_again = bool(connection.execute(_MAKES_AGAIN).get)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        for sql in (*_GONE, *_COUNT, _MARK):
            connection.execute(sql)
        deletions.forget(connection)
        indexes: list[Any] = connection.execute(_INDEXES).fetchall() if makes_again else []
        for name, _ in indexes:
            connection.execute('DROP INDEX "{}"'.format(name.replace('"', '""')))
        done = after = 0
        while upto := connection.execute(_SOME, (after, _TASKS)).get:
            for sql in _DELETE if makes_again else (*_DELETE, *_FORGET):
                connection.execute(sql, {"after": after, "upto": upto})
            done, after = done + _TASKS, upto
            progress(min(done, count), count)
        for _, sql in indexes:
            connection.execute(sql)
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
    connection.execute(_EMPTY_SESSIONS)
    for (project,) in connection.execute("SELECT DISTINCT project_id FROM temp.gone").fetchall():
        projects.delete_if_empty(connection, int(project))  # type: ignore[arg-type]
    if makes_again:
        _index_again(connection)


def _index_again(connection: apsw.Connection) -> None:
    searched, project_searched = connection.execute(_MARKS).get
    for sql in _FORGET_ALL:
        connection.execute(sql)
    while not search.index_some(connection, searched, _EVENTS):
        pass
    # What had not been followed yet is the server's to follow.
    if project_searched:
        while not search.index_some_by_project(connection, _EVENTS):
            pass


def release_space(connection: apsw.Connection) -> None:
    """Give the free pages back: by a copy of the rest, where that is the smaller part."""
    pages, free = connection.pragma("page_count"), connection.pragma("freelist_count")
    if 2 * free > pages:
        connection.execute("VACUUM")
    while not pruning.release_space(connection):
        pass
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    with suppress(apsw.BusyError):  # by an export or a backup; whoever opens it next does it
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
