"""SQL for what exists for somebody: `tracker.domain.principal.Scope` as a condition.

A scope is the parameter `:scope`, a list of names in JSON; NULL: all projects. Where a limit would
have a few projects' rows looked for among everybody's, each project gives its own first ones by an
index, and the first of these are taken: the cost grows with the projects of the scope, not with
what others have reported.
"""

from __future__ import annotations

from typing import Final

import orjson

from tracker.domain.principal import Scope

IN_SCOPE: Final = "(:scope IS NULL OR projects.name IN (SELECT value FROM json_each(:scope)))"
"""Whether a row of `projects` is in the scope."""

_ENDED: Final = """
  SELECT id FROM tasks WHERE finished_at IS NOT NULL
  ORDER BY finished_at DESC, id DESC LIMIT :limit
"""
_ENDED_IN_SCOPE: Final = """
  SELECT tasks.id FROM projects CROSS JOIN tasks ON tasks.id IN (
    SELECT id FROM tasks WHERE project_id = projects.id AND finished_at IS NOT NULL
    ORDER BY finished_at DESC, id DESC LIMIT :limit
  )
  WHERE projects.name IN (SELECT value FROM json_each(:scope))
  ORDER BY tasks.finished_at DESC, tasks.id DESC LIMIT :limit
"""
_EVENTS_IN_SCOPE: Final = """
  SELECT events.id FROM projects CROSS JOIN events ON events.id IN (
    SELECT id FROM events WHERE project_id = projects.id AND {range}
    ORDER BY id {order} LIMIT :limit
  )
  WHERE projects.name IN (SELECT value FROM json_each(:scope))
  ORDER BY events.id {order} LIMIT :limit
"""


def parameter(scope: Scope) -> str | None:
    """The value of `:scope`."""
    return None if scope.projects is None else orjson.dumps([*scope.projects]).decode()


def ended(scope: Scope) -> str:
    """The ids of the tasks that ended last, `:limit` of them."""
    return _ENDED if scope.projects is None else _ENDED_IN_SCOPE


def events_in(range_: str, order: str) -> str:
    """The ids of a scope's first events in a range, `:limit` of them. The scope has names."""
    return _EVENTS_IN_SCOPE.format(range=range_, order=order)
