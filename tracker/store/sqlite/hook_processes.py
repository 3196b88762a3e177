"""Sessions of agents whose process runs on this machine, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import apsw
import orjson

from tracker.domain.hooks import GoOn, Process
from tracker.domain.records import Recorded
from tracker.errors import TrackerError
from tracker.store.changes import OnWrite, WriteRequest
from tracker.store.sqlite import hooks, reports

_LIVING: Final = """
  SELECT agent, session, project, busy, seen, boot_id, pid_namespace, pid, started
  FROM hook_sessions
  WHERE lives AND pid IS NOT NULL AND ?1 <> ''
    AND ((boot_id = ?1 AND pid_namespace = ?2) OR (seen AND host = ?3))
"""
_MARK_SEEN: Final = """
  UPDATE hook_sessions SET seen = 1
  WHERE agent = ? AND session = ? AND (boot_id, pid_namespace, pid, started) = (?, ?, ?, ?)
"""
_FIND: Final = """
  SELECT project, state FROM hook_sessions
  WHERE agent = ? AND session = ? AND lives
    AND (boot_id, pid_namespace, pid, started) = (?, ?, ?, ?)
"""
_HAS_TASK: Final = """
  SELECT EXISTS (
    SELECT 1 FROM projects JOIN tasks ON tasks.project_id = projects.id
    WHERE name = ? AND task_id = ?
  )
"""
_LEAVE: Final = "UPDATE hook_sessions SET lives = 0 WHERE agent = ? AND session = ?"


class Living(NamedTuple):
    """A session that lives, and its process. `busy`: the ids of its tasks with an open tool call;
    `seen`: the process was alive when the server looked."""

    agent: str
    session: str
    project: str
    busy: Sequence[str]
    seen: bool
    process: Process


def living(
    connection: apsw.Connection, boot_id: str, pid_namespace: str, host: str
) -> list[Living]:
    """Those whose process can be looked at here, or was before a reboot."""
    rows = connection.execute(_LIVING, (boot_id, pid_namespace, host))
    return [
        Living(agent, session, project, orjson.loads(busy), bool(seen), Process(*process))
        for agent, session, project, busy, seen, *process in rows
    ]


def mark_seen(connection: apsw.Connection, _now: int, found: Sequence[Living]) -> None:
    """Remember that these processes were alive."""
    for one in found:
        connection.execute(_MARK_SEEN, (one.agent, one.session, *one.process))


def end(
    connection: apsw.Connection,
    now: int,
    gone: Sequence[Living],
    end_process: GoOn,
    on_write: OnWrite,
) -> list[Recorded]:
    """The processes of these are gone: end what runs of the sessions, unless another process has
    gone on with them meanwhile. Tasks that were deleted stay so."""
    requests: list[WriteRequest] = []
    for one in gone:
        row = connection.execute(_FIND, (one.agent, one.session, *one.process)).fetchone()
        if row is None:
            continue
        project, state = row
        try:
            ended = end_process(one.agent, one.session, project, orjson.loads(state), now)
        except TrackerError:  # else none would be ended any more
            connection.execute(_LEAVE, (one.agent, one.session))
            continue
        requests += [
            WriteRequest(report)
            for report in ended.reports
            if connection.execute(_HAS_TASK, (report.project, report.task_id)).get
        ]
        hooks.save(connection, now, one.agent, one.session, project, ended)
        shown = {"project": project, "session": one.session, "agent": one.agent}
        hooks.show(connection, {**shown, "host": "", "lives": ended.lives, "at": now})
    recorded = reports.record(connection, now, requests, on_write=on_write)
    return [one for one in recorded if isinstance(one, Recorded)]
