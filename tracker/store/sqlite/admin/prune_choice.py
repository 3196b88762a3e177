"""What pruning would remove, found by questions alone: the database stays as it is.

The temporary table `doomed` then holds the tasks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import apsw

from tracker.store.sqlite import pruning
from tracker.store.sqlite.pruning import Pruned

_BEGIN: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS doomed (task INTEGER PRIMARY KEY)",
    "DELETE FROM doomed",
)
_BY_AGE: Final = """
  INSERT INTO doomed SELECT newest.task
  FROM (SELECT task, max(id) AS id FROM events GROUP BY task) AS newest
  JOIN tasks ON tasks.id = newest.task JOIN events ON events.id = newest.id
  WHERE tasks.finished_at IS NOT NULL AND events.at < :before
    AND (:project IS NULL OR tasks.project_id = :project)
"""
# What a task takes: its texts, and for each row what stands beside them and in the indexes.
_WEIGHTS: Final = """
  SELECT tasks.id AS task, min(events.id) AS first,
    sum(octet_length(data) + 60) + octet_length(metadata) + 3 * (
      octet_length(title) + octet_length(concat_ws('', result, error_message))
    ) + octet_length(concat_ws('', message, stack_trace)) + 600 AS weight,
    tasks.finished_at IS NOT NULL AND (:project IS NULL OR tasks.project_id = :project) AS may_go
  FROM events JOIN tasks ON tasks.id = events.task GROUP BY events.task
"""
_WEIGH: Final = (
    f"CREATE TEMP TABLE weights AS {_WEIGHTS}",
    "SELECT coalesce(sum(weight), 0), coalesce(sum(weight) FILTER (WHERE task IN doomed), 0) "
    "FROM weights",
)
_BY_SIZE: Final = """
  INSERT INTO doomed SELECT task FROM (
    SELECT task, sum(weight) OVER (ORDER BY first) - weight AS before FROM weights
    WHERE may_go AND task NOT IN doomed
  ) WHERE before < :weight
"""
_COUNT: Final = """
  SELECT (SELECT count(*) FROM doomed),
    (SELECT count(*) FROM events WHERE task IN (SELECT task FROM doomed))
"""
# As `tracker.store.sqlite.message_pruning` goes, from its mark on.
_MESSAGES: Final = """
  WITH due AS (
    SELECT tasks.id AS task FROM tasks JOIN agent_sessions USING (project_id, session)
    WHERE tasks.finished_at IS NOT NULL AND agent_sessions.agent IS NOT NULL AND EXISTS (
      SELECT 1 FROM events WHERE task = tasks.id AND at < :before
        AND id > (SELECT messages_pruned FROM marks)
        AND id = (SELECT max(id) FROM events WHERE task = tasks.id)
    )
  ), history AS (
    SELECT task, id, type = 'task_status_updated' AND data ->> 'finished_at' IS NULL AS is_message,
      data ->> 'attention' IS NOT NULL AS waits
    FROM events WHERE task IN due
  )
  SELECT count(*) FROM (
    SELECT is_message AND NOT waits AND NOT lag(waits, 1, 1) OVER (PARTITION BY task ORDER BY id)
      AS goes FROM history
  ) WHERE goes
"""


class Choice(NamedTuple):
    """How much would go, and about how many bytes would be in use then."""

    pruned: Pruned
    size: int


def choose_by_age(connection: apsw.Connection, before: int, project_id: int | None) -> Pruned:
    """Of the tasks that have ended, those whose newest event came `before`; into `doomed`."""
    for sql in _BEGIN:
        connection.execute(sql)
    connection.execute(_BY_AGE, {"before": before, "project": project_id})
    return Pruned(*connection.execute(_COUNT).get)


def choose(
    connection: apsw.Connection,
    *,
    before: int | None,
    max_bytes: int | None,
    project_id: int | None,
    share: float = 1.0,
) -> Choice:
    """Of the tasks that have ended, those whose newest event came `before`, then the oldest until
    `share` of what is over `max_bytes` is gone, which is an estimate; into `doomed`."""
    if before is not None:
        choose_by_age(connection, before, project_id)
    else:
        for sql in _BEGIN:
            connection.execute(sql)
    size = pruning.size(connection)
    make, weigh = _WEIGH
    connection.execute(make, {"project": project_id})
    total, gone = connection.execute(weigh).get
    if max_bytes is not None and total:
        wanted = share * (total - gone - total * max_bytes / size)
        connection.execute(_BY_SIZE, {"weight": wanted})
        total, gone = connection.execute(weigh).get
    connection.execute("DROP TABLE temp.weights")
    tasks, events = connection.execute(_COUNT).get
    return Choice(Pruned(tasks, events), size - (size * gone // total if total else 0))


def count_messages(connection: apsw.Connection, before: int) -> int:
    """Messages of tasks that ended and were last heard of `before`."""
    return int(connection.execute(_MESSAGES, {"before": before}).get)
