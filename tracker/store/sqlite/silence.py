"""Running tasks that are no longer heard of, and when nobody could have been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

import apsw

from tracker.clock import MS_PER_DAY
from tracker.domain.events import Event
from tracker.domain.messages import silent_data
from tracker.domain.records import Recorded
from tracker.domain.silence import Downtimes
from tracker.domain.tasks import EventType, Status, Task
from tracker.store.sqlite import bulk
from tracker.store.sqlite.columns import EVENT, TASK, fill, listed
from tracker.store.sqlite.reports import load_task

_RUNNING = """
  SELECT tasks.id FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND tasks.status = 'running'
  WHERE projects.running > 0 AND tasks.silent_since IS NULL
"""
_FIND = fill(
    """
  SELECT tasks.id, projects.id, projects.name, task_id, {columns}
  FROM tasks JOIN projects ON projects.id = tasks.project_id WHERE tasks.id IN (VALUES {rows})
""",
    columns=listed(TASK, "tasks"),
)
# Silence is something new to see to.
_MARK = """
  UPDATE tasks SET silent_since = column2, acknowledged_at = NULL, snoozed_until = NULL
  FROM (VALUES {rows}) WHERE tasks.id = column1
"""
_TELL = fill(
    "INSERT INTO events (project_id, task, {columns}) VALUES {rows}", columns=listed(EVENT)
)
_LAST_SIGN = """
  SELECT max(alive_at, coalesce((SELECT at FROM events ORDER BY id DESC LIMIT 1), 0)) FROM marks
"""
_STAY_ALIVE = "UPDATE marks SET alive_at = ?"
_INSERT_DOWNTIME = "INSERT OR REPLACE INTO downtimes (began, ended) VALUES (?, ?)"
_FORGET_DOWNTIMES = """
  DELETE FROM downtimes WHERE ended < ? OR began < (
    SELECT began FROM downtimes ORDER BY began DESC LIMIT 1 OFFSET ?
  )
"""
_DOWNTIMES = "SELECT began, ended FROM downtimes ORDER BY began"

# No task's silence is normal for longer; more downtimes than these are not looked through.
_KEPT_MS = 31 * MS_PER_DAY
_MAX_DOWNTIMES = 1000

# Until a task that is busy is looked at again.
_LOOK_AGAIN_MS = 5000

Busy = Set[tuple[str, str]]
"""Tasks, by project and id."""

# A shorter one changes nothing that anybody would notice.
_MIN_DOWNTIME_MS = 1000


class Silence:
    """Finds and tells it, by these rules."""

    def __init__(self, stale_after_ms: int, downtimes: Downtimes) -> None:
        """`stale_after_ms`: for tasks that have not said how long theirs is normal; 0: for ever."""
        self._stale_after = stale_after_ms
        self._downtimes = downtimes

    def deadlines(
        self, connection: apsw.Connection, ids: Sequence[int], at: int, busy: Busy
    ) -> dict[int, int]:
        """When each of the tasks, by their numbers, becomes silent. Those that will not be, and
        those that are, are left out. `busy`: those that are seen to be at work at `at`, although
        they say nothing."""
        found: dict[int, int] = {}
        for row in _find(connection, ids):
            deadline = self._deadline(row.task)
            if deadline is not None:
                is_busy = deadline <= at and (row.project, row.task_id) in busy
                found[row.id] = at + _LOOK_AGAIN_MS if is_busy else deadline
        return found

    def tell(
        self, connection: apsw.Connection, now: int, ids: Sequence[int], at: int
    ) -> list[Recorded]:
        """Mark those of the tasks that were silent at `at`; an event for each."""
        silent = [row for row in _find(connection, ids) if self._is_silent(row.task, at)]
        marks: list[bulk.Row] = [(row.id, row.task.reported_at) for row in silent]
        for _ in bulk.execute(connection, _MARK, marks):
            pass
        data = [row.silent_data() for row in silent]
        rows: list[bulk.Row] = [
            (row.project_id, row.id, EventType.SILENT.value, now, text)
            for row, text in zip(silent, data, strict=True)
        ]
        events = [
            Event(id_, row.project, EventType.SILENT.value, text.encode(), now)
            for id_, row, text in zip(
                bulk.insert(connection, _TELL, rows), silent, data, strict=True
            )
        ]
        return [Recorded(event.id, now, False, None, event) for event in events]

    def _is_silent(self, task: Task, at: int) -> bool:
        deadline = self._deadline(task)
        return deadline is not None and deadline <= at

    def _deadline(self, task: Task) -> int | None:
        stale_after = task.stale_after_ms or self._stale_after
        if not stale_after or task.status is not Status.RUNNING or task.silent_since is not None:
            return None
        if task.requests.oldest is not None:  # it waits for a person
            return None
        return self._downtimes.silent_at(task.reported_at, stale_after)


class _Row(NamedTuple):
    id: int
    project_id: int
    project: str
    task_id: str
    task: Task

    def silent_data(self) -> str:
        task = self.task._replace(
            silent_since=self.task.reported_at, acknowledged_at=None, snoozed_until=None
        )
        return silent_data(self.project, self.task_id, task)


def _find(connection: apsw.Connection, ids: Sequence[int]) -> Iterator[_Row]:
    for _, rows in bulk.execute(connection, _FIND, [(id_,) for id_ in ids]):
        for id_, project_id, project, task_id, *columns in rows:
            yield _Row(id_, project_id, project, task_id, load_task(columns))


def running(connection: apsw.Connection) -> list[int]:
    """The numbers of all that run and are heard of."""
    return [id_ for (id_,) in connection.execute(_RUNNING)]


def stay_alive(connection: apsw.Connection, now: int) -> None:
    """Remember that the server listens at `now`."""
    connection.execute(_STAY_ALIVE, (now,))


def last_sign(connection: apsw.Connection) -> int:
    """When the server was last known to listen; 0: never."""
    return int(connection.execute(_LAST_SIGN).get)


def wake(began: int, connection: apsw.Connection, now: int) -> Downtimes:
    """Remember that nobody was heard from `began` until `now`; 0: since ever. Returns all such
    times."""
    if began and now - began >= _MIN_DOWNTIME_MS:
        connection.execute(_INSERT_DOWNTIME, (began, now))
        connection.execute(_FORGET_DOWNTIMES, (now - _KEPT_MS, _MAX_DOWNTIMES - 1))
    stay_alive(connection, now)
    return Downtimes((int(began), int(ended)) for began, ended in connection.execute(_DOWNTIMES))
