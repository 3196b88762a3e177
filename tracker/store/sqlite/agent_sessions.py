"""Conversations and runs that tasks belong to, as the triggers keep them (the eighth migration).

The cost of a page grows with what is on it, and, for a scope, with its projects.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from tracker.domain.limits import MAX_INTEGER
from tracker.domain.principal import Scope
from tracker.domain.queries import SessionQuery
from tracker.domain.records import AgentSession, SessionPage, StatusCounts
from tracker.domain.usage import Amounts
from tracker.store.sqlite import dashboard
from tracker.store.sqlite.columns import fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter

# So many of a session's tasks that run are shown with it.
_TASKS_SHOWN: Final = 5

_AT_WORK: Final = "pending + running + lives > 0"
_CONDITIONS: Final = {None: "TRUE", True: _AT_WORK, False: f"NOT ({_AT_WORK})"}
_COUNTS: Final = {None: "sessions", True: "sessions_at_work", False: "sessions - sessions_at_work"}

_ON_HOST: Final = "host = :host"
# The few that are at work are looked through, not all that ever were on that machine.
_AT_WORK_ON_HOST: Final = f"{_AT_WORK} AND +host = :host"
_CONDITIONS_ON_HOST: Final = {
    None: _ON_HOST,
    True: _AT_WORK_ON_HOST,
    False: f"{_ON_HOST} AND NOT ({_AT_WORK})",
}
_COUNT_ON_HOST: Final = (
    "(SELECT count(*) FROM agent_sessions WHERE project_id = projects.id AND {})"
)
_COUNTS_ON_HOST: Final = {
    None: (_ALL := _COUNT_ON_HOST.format(_ON_HOST)),
    True: (_BUSY := _COUNT_ON_HOST.format(_AT_WORK_ON_HOST)),
    False: f"{_ALL} - {_BUSY}",
}

_NEWEST: Final = """
  SELECT id FROM agent_sessions WHERE {condition}
  ORDER BY last_at DESC, id DESC LIMIT :limit OFFSET :offset
"""
_NEWEST_BY_PROJECT: Final = fill(
    """
  SELECT agent_sessions.id FROM projects CROSS JOIN agent_sessions ON agent_sessions.id IN (
    SELECT id FROM agent_sessions WHERE project_id = projects.id AND {condition}
    ORDER BY last_at DESC, id DESC LIMIT :upto
  )
  WHERE {in_scope} AND {count} > 0
  ORDER BY agent_sessions.last_at DESC, agent_sessions.id DESC LIMIT :limit OFFSET :offset
""",
    in_scope=IN_SCOPE,
)
_TOTAL: Final = fill(
    "SELECT coalesce(sum({count}), 0) FROM projects WHERE {in_scope}", in_scope=IN_SCOPE
)
_PAGE: Final = fill(
    """
  SELECT projects.id, projects.name, session, coalesce(agent_sessions.agent, (
      SELECT agent FROM tasks
      WHERE tasks.project_id = projects.id AND tasks.session = agent_sessions.session
      ORDER BY started_at, id LIMIT 1
    )), host, lives,
    first_at, last_at, EXISTS (
      SELECT 1 FROM tasks
      WHERE tasks.project_id = projects.id AND tasks.session = agent_sessions.session
        AND finished_at IS NULL AND EXISTS (
          SELECT 1 FROM json_each(requests) WHERE value ->> 'text' IS NOT NULL
        )
    ),
    {counts}, {amounts}
  FROM agent_sessions JOIN projects ON projects.id = agent_sessions.project_id
    LEFT JOIN usage_sums ON usage_sums.project_id = projects.id AND usage_sums.kind = 'session'
      AND usage_sums.name = agent_sessions.session
  WHERE agent_sessions.id IN ({newest}) ORDER BY last_at DESC, agent_sessions.id DESC
""",
    counts=listed(StatusCounts._fields, "agent_sessions"),
    amounts=", ".join(f"coalesce({name}, 0)" for name in Amounts._fields),
)
_STATUSES: Final = len(StatusCounts._fields)


def page(connection: apsw.Connection, now: int, scope: Scope, query: SessionQuery) -> SessionPage:
    """Those that reported last come first; each with the newest of its tasks that have not ended,
    and its newest of all, at the time `now`."""
    scope = scope.narrowed(query.project)
    of = {
        "scope": parameter(scope),
        "host": query.host,
        "limit": query.limit,
        "offset": query.offset,
        "upto": min(query.limit + query.offset, MAX_INTEGER),
    }
    of_any = query.host is None
    condition = (_CONDITIONS if of_any else _CONDITIONS_ON_HOST)[query.active]
    count = (_COUNTS if of_any else _COUNTS_ON_HOST)[query.active]
    newest = fill(
        _NEWEST if scope.projects is None else _NEWEST_BY_PROJECT,
        condition=condition,
        count=count,
    )
    rows: list[Any] = connection.execute(_PAGE.replace("{newest}", newest), of).fetchall()
    total = connection.execute(fill(_TOTAL, count=count), of).get
    keys = [(project_id, name) for project_id, _, name, *_ in rows]
    at_work = dashboard.of_sessions(connection, now, keys, _TASKS_SHOWN, at_work=True)
    newest_of = dashboard.of_sessions(connection, now, keys, 1)
    return SessionPage(
        [
            AgentSession(
                *(project, name, agent, host, bool(lives), first_at, last_at),
                StatusCounts._make(figures[:_STATUSES]),
                bool(waits),
                Amounts._make(figures[_STATUSES:]),
                at_work.get((project, name), []),
                next(iter(newest_of.get((project, name), [])), None),
            )
            for _, project, name, agent, host, lives, first_at, last_at, waits, *figures in rows
        ],
        int(total),
    )
