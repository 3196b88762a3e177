"""Tasks that failed of late, in groups. Bounded by a limit and an index."""

from __future__ import annotations

from typing import Final

import apsw

from tracker.domain.failures import (
    MAX_COMPARED,
    MAX_FAILURES,
    Failure,
    Failures,
    FailuresQuery,
    grouped,
)
from tracker.domain.principal import Scope
from tracker.store.sqlite.columns import fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter

_FAILED: Final = """
  SELECT {columns} FROM tasks WHERE finished_at >= :since AND +status = 'failed' {order}
"""
_FAILED_IN_SCOPE: Final = fill(
    """
  SELECT {columns} FROM projects CROSS JOIN tasks
    ON tasks.project_id = projects.id AND finished_at >= :since AND +status = 'failed'
  WHERE {in_scope} {order}
""",
    in_scope=IN_SCOPE,
)
_EXPRESSIONS: Final = {
    "project": "(SELECT name FROM projects WHERE projects.id = tasks.project_id)",
    "error_type": "substr(tasks.error_type, 1, {most_compared})",
    "error_message": "substr(tasks.error_message, 1, {most_compared})",
}
_COLUMNS: Final = fill(
    listed(_EXPRESSIONS.get(name, f"tasks.{name}") for name in Failure._fields),
    most_compared=str(MAX_COMPARED),
)
_LATEST: Final = "ORDER BY tasks.finished_at DESC, tasks.id DESC LIMIT :most"


def of(connection: apsw.Connection, scope: Scope, query: FailuresQuery) -> Failures:
    """The groups with the most."""
    scope = scope.narrowed_to(query.projects)
    failed = _FAILED if scope.projects is None else _FAILED_IN_SCOPE
    of_ = {"since": query.since, "scope": parameter(scope), "most": MAX_FAILURES}
    rows = connection.execute(fill(failed, columns=_COLUMNS, order=_LATEST), of_)
    failures = [Failure._make(row) for row in rows]
    total = len(failures)
    if total == MAX_FAILURES:
        total = connection.execute(fill(failed, columns="count(*)", order=""), of_).get
    groups, kinds = grouped(failures)
    return Failures(int(total), len(failures), kinds, groups)
