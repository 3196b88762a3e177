"""Which tasks a query chooses, as SQL.

What an index has in the order of a page by project and status, or by project and agent, is taken
apart by them, each part giving its own first ones. What finds a few by itself, wherever they are,
is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import apsw
import orjson

from tracker.domain.principal import Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.tasks import ACTIVE, Status
from tracker.store.sqlite import projects, search
from tracker.store.sqlite.columns import DERIVED, STATUSES, fill, quoted
from tracker.store.sqlite.scope import IN_SCOPE, parameter
from tracker.store.sqlite.usage import ALL_PROJECTS

_PART_OF_STATUS: Final = "CROSS JOIN json_each(:status) AS part"
_PART_OF_AGENT: Final = """
  CROSS JOIN project_agents AS part ON part.project_id = projects.id
    AND part.name IN (SELECT value FROM json_each(:agent))
"""
_OF_STATUS: Final = "+status IN (SELECT value FROM json_each(:status))"
_OF_AGENT: Final = "+agent IN (SELECT value FROM json_each(:agent))"
# Those that have ended since, and those that have not.
_SINCE: Final = fill(
    """
  tasks.id IN (
    SELECT ended.id FROM projects CROSS JOIN tasks AS ended
      ON ended.project_id = projects.id AND ended.finished_at >= :since
    WHERE {projects}
    UNION ALL
    SELECT active.id FROM projects CROSS JOIN tasks AS active
      ON active.project_id = projects.id AND active.status IN ({active})
    WHERE {projects} AND {count} > 0
  )
""",
    active=quoted(ACTIVE),
    count=" + ".join(f"projects.{status}" for status in ACTIVE),
)
_WAITS: Final = """
  (finished_at IS NULL AND requests IS NOT NULL AND EXISTS (
    SELECT 1 FROM json_each(requests) WHERE value ->> 'text' IS NOT NULL
  ))
"""
_FILTERS: Final = {
    "session": "session = :session",
    "task_id": "task_id = :task_id",
    "title": "title = :title",
    "date_from": "started_at >= :date_from",
    "date_to": "finished_at <= :date_to",
    "q": "tasks.id IN (SELECT rowid FROM {index} WHERE {index} MATCH :q)",
    "since": _SINCE,
    "model": """
      tasks.id IN (
        SELECT task FROM usage
        WHERE shown AND model IN (SELECT value FROM json_each(:model))
      )
    """,
    "cost_min": """
      tasks.id IN (
        SELECT task FROM usage WHERE shown AND cost_micros IS NOT NULL
        GROUP BY task HAVING total(cost_micros) >= :cost_min
      )
    """,
    "attempt": "attempt = :attempt",
    "attempt_min": "attempt >= :attempt_min",
    "parent": """
      tasks.id IN (
        SELECT child.id FROM projects CROSS JOIN tasks AS child
          ON child.project_id = projects.id AND child.parent_task_id = :parent
        WHERE {projects}
      )
    """,
}
# Whether it is so, and of which states the tasks are for which it is.
_STATES: Final = {
    "attention": (_WAITS, ACTIVE),
    "silent": ("silent_since IS NOT NULL", (Status.RUNNING,)),
    "overdue": (DERIVED["overdue"], (Status.RUNNING,)),
}
# What finds a few by itself.
_SELECTIVE: Final = frozenset({"q", "task_id", "since", "model", "cost_min", "parent"})

_AGENTS: Final = "SELECT name FROM agents"
_AGENTS_OF: Final = """
  SELECT DISTINCT project_agents.name FROM projects CROSS JOIN project_agents
    ON project_agents.project_id = projects.id
  WHERE {projects}
"""
_MODELS: Final = fill(
    "SELECT name FROM usage_sums WHERE project_id = {all} AND kind = 'model'",
    all=str(ALL_PROJECTS),
)
_MODELS_OF: Final = """
  SELECT DISTINCT usage_sums.name FROM projects CROSS JOIN usage_sums
    ON usage_sums.project_id = projects.id AND usage_sums.kind = 'model'
  WHERE {projects}
"""
_NAMES: Final = {"agent": (_AGENTS, _AGENTS_OF), "model": (_MODELS, _MODELS_OF)}


class Among(NamedTuple):
    """Whose tasks: as a condition on `projects`, one on `tasks`, their parameters, and the ids;
    None: everybody's."""

    projects: str
    tasks: str
    parameters: dict[str, Any]
    ids: Sequence[int] | None


class Chosen(NamedTuple):
    """The tasks that a query chooses: the conditions on a task, by what the tasks of a project are
    taken apart, and whether each project gives its own. `filters`: by name, the values that are
    asked for; `text_index`: where texts are looked for."""

    among: Among
    where: str
    part: str
    by_project: bool
    filters: dict[str, Any]
    text_index: str
    parameters: dict[str, Any]

    def fill(self, sql: str) -> str:
        """The SQL with these conditions in it."""
        among = self.among
        return fill(
            *(sql,),
            among=among.tasks,
            part=self.part,
            where=fill(self.where, projects=among.projects),
            projects=among.projects,
        )


def within(connection: apsw.Connection, scope: Scope) -> Among:
    """Those of a scope's projects."""
    ids = None if scope.projects is None else projects.ids(connection, scope)
    of_tasks = fill("project_id IN (SELECT id FROM projects WHERE {in_scope})", in_scope=IN_SCOPE)
    return Among(IN_SCOPE, "TRUE" if ids is None else of_tasks, {"scope": parameter(scope)}, ids)


def choose(
    connection: apsw.Connection, now: int, among: Among, query: TaskQuery, *, apart: bool = True
) -> Chosen:
    """The query's tasks, at the time `now`. `apart`: whether they may be taken apart."""
    filters, index = query.filters, ""
    if query.q is not None:
        index, filters["q"] = search.match(connection, among.ids, query.q)
    if query.since is not None:
        filters["since"] = query.since.at(now)
    conditions = []
    for name, (condition, states) in _STATES.items():
        if name in filters:
            is_so = filters.pop(name)
            conditions.append(condition if is_so else f"NOT coalesce({condition}, FALSE)")
            if is_so:
                wanted = filters.get("status", STATUSES)
                filters["status"] = tuple(status for status in wanted if status in states)
    conditions += [condition for name, condition in _FILTERS.items() if name in filters]
    for name, names in _NAMES.items():
        if name in filters:
            filters[name] = _meant(connection, among, names, filters[name])
    selective = not apart or not filters.keys().isdisjoint(_SELECTIVE)
    part = ""
    of_status, of_agent = "status" in filters, "agent" in filters
    # An agent may have had very many tasks, of which few are under way: these by their status; and
    # so if there are several agents.
    by_status = of_status and (
        not of_agent or len(filters["agent"]) > 1 or set(filters["status"]) <= set(ACTIVE)
    )
    if by_status and not selective:
        part, of_status = _PART_OF_STATUS, False
        conditions.append("status = part.value")
    elif of_agent and not selective:
        part, of_agent = _PART_OF_AGENT, False
        conditions.append("agent = part.name")
    conditions += [_OF_STATUS] * of_status + [_OF_AGENT] * of_agent
    by_project = not selective and (
        part != "" or ("session" in filters if among.ids is None else len(among.ids) != 1)
    )
    values = {
        name: orjson.dumps(value).decode() if isinstance(value, tuple) else value
        for name, value in filters.items()
    }
    where = " AND ".join(conditions).replace("{index}", index) or "TRUE"
    states_asked = {name: True for name in _STATES if getattr(query, name) is not None}
    return Chosen(
        *(among, where, part, by_project, filters | states_asked, index),
        among.parameters | values | {"now": now},
    )


def _meant(
    connection: apsw.Connection, among: Among, sources: tuple[str, str], text: str
) -> tuple[str, ...]:
    """The names that somebody means: the one that is so, or else those that hold the text, in any
    case."""
    of_all, of_some = sources
    sql = of_all if among.ids is None else fill(of_some, projects=among.projects)
    names = [name for (name,) in connection.execute(sql, among.parameters)]
    if text in names:
        return (text,)
    part = text.casefold()
    return tuple(name for name in names if part in name.casefold())
