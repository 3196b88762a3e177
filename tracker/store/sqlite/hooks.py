"""Payloads of agents that are plugged in: their sessions' states, and what they come to, in the
caller's transaction. What they mean is worked out by who hands them in (tracker.domain.hooks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import apsw
import orjson

from tracker.domain.hooks import (
    UNNAMED,
    AgentLine,
    Heard,
    HookRequest,
    Interpreted,
    Payload,
    Place,
    Process,
    project_names,
)
from tracker.domain.idempotency import OwnedKey
from tracker.domain.limits import MAX_AGE_OF_REPORT
from tracker.domain.principal import Scope
from tracker.domain.records import Recorded
from tracker.errors import Forbidden, TrackerError
from tracker.store.changes import OnWrite, UsedKey, WriteRequest, reused
from tracker.store.sqlite import idempotency_keys, reports

_FIND_SESSION = """
  SELECT parent, project, state, told FROM hook_sessions WHERE agent = ? AND session = ?
"""
_FIND_FOLDER = "SELECT project FROM hook_folders WHERE host = ? AND folder = ?"
_FIND_PROJECT = "SELECT remote FROM hook_folders WHERE project = ?"
_INSERT_FOLDER = "INSERT INTO hook_folders (host, folder, remote, project) VALUES (?, ?, ?, ?)"
_SAVE_CHILD = """
  INSERT INTO hook_sessions (agent, session, parent, last_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (agent, session) DO UPDATE SET last_at = excluded.last_at
"""
_SAVE_SESSION = """
  INSERT INTO hook_sessions
    (agent, session, project, state, busy, lives, last_at, host, told, look_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (agent, session) DO UPDATE SET
    project = iif(told, project, excluded.project), host = iif(told, host, excluded.host),
    state = excluded.state, busy = excluded.busy, lives = excluded.lives,
    last_at = excluded.last_at, told = max(told, excluded.told), look_at = excluded.look_at
"""
_SAVE_PROCESS = """
  UPDATE hook_sessions SET boot_id = ?1, pid_namespace = ?2, pid = ?3, started = ?4, seen = ?7
  WHERE agent = ?5 AND session = ?6
    AND (seen < ?7 OR (boot_id, pid_namespace, pid, started) IS NOT (?1, ?2, ?3, ?4))
"""
_SESSIONS_OF_PROCESS = """
  SELECT session, state FROM hook_sessions INDEXED BY hook_sessions_that_live
  WHERE lives AND agent = ? AND project = ?
    AND (boot_id, pid_namespace, pid, started) = (?, ?, ?, ?)
"""
_COUNT_EVENT = """
  INSERT INTO hook_events (agent, event, known, count, last_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (agent, event) DO UPDATE SET
    known = excluded.known, count = count + excluded.count, last_at = excluded.last_at
"""
_EVENTS_OF_AGENT = "SELECT count(*) FROM hook_events WHERE agent = ?"
_IS_COUNTED = "SELECT 1 FROM hook_events WHERE agent = ? AND event = ?"
_SHOW_SESSION = """
  INSERT INTO agent_sessions
    (project_id, session, first_at, last_at, agent, host, lives,
    pending, running, completed, failed)
  SELECT id, :session, :at, :at, :agent, nullif(:host, ''), :lives, 0, 0, 0, 0
  FROM projects WHERE name = :project
  ON CONFLICT (project_id, session) DO UPDATE SET
    last_at = max(last_at, excluded.last_at), lives = excluded.lives,
    agent = excluded.agent, host = coalesce(excluded.host, host)
"""
_HIDE_SESSION = """
  DELETE FROM agent_sessions
  WHERE project_id = (SELECT id FROM projects WHERE name = :project) AND session = :session
    AND NOT lives AND pending + running + completed + failed = 0
"""
_AGENTS = """
  SELECT hook_events.agent, coalesce(sessions, 0), sum(count), max(last_at),
    json_group_object(event, count) FILTER (WHERE NOT known)
  FROM hook_events LEFT JOIN hook_agents ON hook_agents.agent = hook_events.agent
  GROUP BY hook_events.agent ORDER BY hook_events.agent
"""
_DELETE_OLD = """
  DELETE FROM hook_sessions WHERE (agent, session) IN (
    SELECT agent, session FROM hook_sessions WHERE last_at < ? ORDER BY last_at LIMIT ?
  ) RETURNING lives, project, session
"""
_END_SESSION = """
  UPDATE agent_sessions SET lives = 0
  WHERE project_id = (SELECT id FROM projects WHERE name = :project) AND session = :session
"""

# An agent's further events are counted together: their names are its own choice.
_MOST_EVENTS: Final = 200
_OTHERS: Final = "(others)"

_LONGEST_NAME: Final = 1000  # names that a folder may take, until one is free


class Known(NamedTuple):
    """A session that was heard of; `told`: where it belongs is known."""

    project: str
    state: Any
    told: bool


def record(
    connection: apsw.Connection,
    now: int,
    requests: Sequence[WriteRequest | HookRequest],
    on_write: OnWrite,
) -> list[Recorded | Heard | TrackerError]:
    """Write what came, in order; for each what became of it, or the error that is its own."""
    if HookRequest not in set(map(type, requests)):
        plain = cast("Sequence[WriteRequest]", requests)
        return [*reports.record(connection, now, plain, on_write=on_write)]
    group = _Group(connection, now)
    written: list[WriteRequest] = []
    spans: list[range | Heard | TrackerError] = []
    for request in requests:
        begin = len(written)
        if isinstance(request, WriteRequest):
            written.append(request)
            spans.append(range(begin, begin + 1))
            continue
        try:
            heard = group.hear(request)
        except TrackerError as error:
            spans.append(error)
            continue
        if heard is None:
            written.extend(group.take())
            spans.append(range(begin, len(written)))
        else:
            spans.append(heard)
    recorded = reports.record(connection, now, written, on_write=on_write)
    results: list[Recorded | Heard | TrackerError] = []
    for request, span in zip(requests, spans, strict=True):
        if not isinstance(span, range):
            results.append(span)
        elif isinstance(request, WriteRequest):
            results.append(recorded[span.start])
        else:
            made = [one for one in recorded[span.start : span.stop] if isinstance(one, Recorded)]
            results.append(group.settle(request, made))
    group.save()
    return results


class _Group:
    """The payloads of a transaction."""

    def __init__(self, connection: apsw.Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._reports: list[WriteRequest] = []
        self._keys: dict[OwnedKey, UsedKey] = {}
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}

    def hear(self, request: HookRequest) -> Heard | None:
        """Work out what it comes to; or that it was recorded before. Raises Forbidden,
        IdempotencyKeyReused."""
        key = request.key
        if key is not None:
            used = self._keys.get(key.key) or idempotency_keys.find(
                self._connection, self._now, [key.key]
            ).get(key.key)
            if used is not None:
                error = reused(key, used)
                if error is not None:
                    raise error
                return Heard(used.at, [], was_known=True)
        self._interpret(request)
        if key is not None:
            expires_at = self._now + key.lifetime_ms
            self._keys[key.key] = UsedKey(key.fingerprint, 0, self._now, False, None, expires_at)
        return None

    def take(self) -> list[WriteRequest]:
        """The reports of what was heard last."""
        taken, self._reports = self._reports, []
        return taken

    def settle(self, request: HookRequest, recorded: Sequence[Recorded]) -> Heard:
        """What has become of it, and of its reports."""
        events = [event for one in recorded for event in one.events]
        if request.key is not None and events:
            used = self._keys[request.key.key]
            self._keys[request.key.key] = used._replace(event_id=events[-1].id)
        return Heard(self._now, events)

    def save(self) -> None:
        """Remember keys, and show the sessions, whose tasks are there now."""
        idempotency_keys.remember(self._connection, self._keys)
        for (project, _), shown in self._shown.items():
            if shown["lives"]:  # else it has tasks, or there is nothing to show
                reports.ensure_projects(self._connection, self._now, [project])
            show(self._connection, shown)

    def _interpret(self, request: HookRequest) -> None:
        payload, scope = request.payload, request.scope
        if payload.session:
            self._interpret_session(payload, scope, is_seen=request.is_seen)
        elif payload.ends_process and payload.process is not None:
            self._end_sessions(payload, payload.process, scope)
        self._count(payload)

    def _interpret_session(self, payload: Payload, scope: Scope, *, is_seen: bool) -> None:
        owner, subagent, known = self._find(payload)
        project = self._project(payload, scope, known)
        if not scope.includes(project):
            raise Forbidden(
                f"The key with which {payload.agent} reports is not for the project {project!r}; "
                "/api/info lists those that it is for."
            )
        state = None if known is None else known.state
        interpreted = payload.interpret(state, owner, project, subagent, self._now)
        if subagent:
            child = (payload.agent, payload.session, owner, self._now)
            self._connection.execute(_SAVE_CHILD, child)
        self._keep(payload, owner, project, interpreted)
        if payload.process is not None and not subagent:
            row = (*payload.process, payload.agent, owner, is_seen)
            self._connection.execute(_SAVE_PROCESS, row)

    def _project(self, payload: Payload, scope: Scope, known: Known | None) -> str:
        """The session's: the first folder's that it is told of."""
        if known is not None and (known.told or payload.project):
            return known.project
        if payload.project:
            of_key = scope.projects or ()
            return next(iter(of_key)) if len(of_key) == 1 else payload.project
        folder = self._folder(payload.place)
        project = folder or self._new_name(payload.place)
        if folder is None and payload.place.folder and scope.includes(project):
            self._connection.execute(_INSERT_FOLDER, (*payload.place, project))
        return project

    def _end_sessions(self, payload: Payload, process: Process, scope: Scope) -> None:
        project = self._folder(payload.place) or UNNAMED
        row = (payload.agent, project, *process)
        rows: Any = self._connection.execute(_SESSIONS_OF_PROCESS, row).fetchall()
        for session, state in rows if scope.includes(project) else ():
            known = orjson.loads(state)
            interpreted = payload.interpret(known, session, project, "", self._now)
            self._keep(payload, session, project, interpreted)

    def _keep(self, payload: Payload, session: str, project: str, after: Interpreted) -> None:
        host, now = payload.place.host, self._now
        at = now if payload.at is None else max(min(payload.at, now), now - MAX_AGE_OF_REPORT)
        self._reports += [WriteRequest(report) for report in after.reports]
        save(self._connection, now, payload.agent, session, project, after, host)
        if after.is_untold:  # it is shown once it is settled
            return
        self._shown[project, session] = {
            **{"project": project, "session": session, "agent": payload.agent},
            **{"host": host, "lives": after.lives, "at": at},
        }

    def _find(self, payload: Payload) -> tuple[str, str, Known | None]:
        """The session that the payload counts to, the sub-agent of it whose own session it is of,
        and what is known of it."""
        row = self._row(payload.agent, payload.session)
        parent = row[0] if row is not None else payload.parent or None
        if parent is None or parent == payload.session:
            return payload.session, "", _known(row)
        above = self._row(payload.agent, parent)
        if above is not None and above[0] is not None:  # a sub-agent's sub-agent
            parent = above[0]
            above = self._row(payload.agent, parent)
        return parent, payload.session, _known(above)

    def _row(self, agent: str, session: str) -> Any:
        return self._connection.execute(_FIND_SESSION, (agent, session)).fetchone()

    def _folder(self, place: Place) -> str | None:
        """The name of the folder's project, which stays; None: the folder is new."""
        found = self._connection.execute(_FIND_FOLDER, (place.host, place.folder)).get
        return None if found is None else str(found)

    def _new_name(self, place: Place) -> str:
        """For a new folder: of two of the same name that are not clones of one repository, the
        second is told apart."""
        return next(self._free_names(place)) if place.folder else UNNAMED

    def _free_names(self, place: Place) -> Iterator[str]:
        for name in islice(project_names(place.folder), _LONGEST_NAME):
            remotes = {remote for (remote,) in self._connection.execute(_FIND_PROJECT, (name,))}
            if not remotes or (place.remote and place.remote in remotes):
                yield name
        yield UNNAMED

    def _count(self, payload: Payload) -> None:
        connection, event = self._connection, payload.event
        if connection.execute(_IS_COUNTED, (payload.agent, event)).get is None:
            counted = connection.execute(_EVENTS_OF_AGENT, (payload.agent,)).get
            event = event if counted < _MOST_EVENTS else _OTHERS
        row = (payload.agent, event, payload.is_known, payload.records, self._now)
        connection.execute(_COUNT_EVENT, row)


def _known(row: Any) -> Known | None:
    return None if row is None else Known(row[1], orjson.loads(row[2]), bool(row[3]))


def save(
    connection: apsw.Connection,
    now: int,
    agent: str,
    session: str,
    project: str,
    after: Interpreted,
    host: str = "",
) -> None:
    """Keep what the session's next payload is read with."""
    state, busy = orjson.dumps(after.state).decode(), orjson.dumps(after.busy).decode()
    row = (agent, session, project, state, busy, after.lives, now, host)
    told = not after.is_untold or bool(after.reports)  # tasks stay in their project
    connection.execute(_SAVE_SESSION, (*row, told, after.look_at))


def show(connection: apsw.Connection, shown: Mapping[str, Any]) -> None:
    """Have it in the list of sessions, unless it ended without any task."""
    connection.execute(_SHOW_SESSION, shown)
    if not shown["lives"]:
        connection.execute(_HIDE_SESSION, shown)


def agents(connection: apsw.Connection) -> list[AgentLine]:
    """Those that have sent anything, by name."""
    return [
        AgentLine(agent, sessions, payloads, last_at, orjson.loads(unknown or "{}"))
        for agent, sessions, payloads, last_at, unknown in connection.execute(_AGENTS)
    ]


def delete_old(connection: apsw.Connection, before: int, limit: int) -> bool:
    """Forget some sessions that were not heard of since then: nobody will tell that they have
    ended. True when none is left."""
    deleted: list[Any] = connection.execute(_DELETE_OLD, (before, limit)).fetchall()
    for lives, project, session in deleted:
        if lives:
            ended = {"project": project, "session": session}
            connection.execute(_END_SESSION, ended)
            connection.execute(_HIDE_SESSION, ended)
    return len(deleted) < limit
