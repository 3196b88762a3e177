"""What models have used: of tasks, as they told it, and over many, from the sums that are kept
(`tracker.store.sqlite.usage`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import apsw
import orjson

from tracker.domain.limits import MAX_DESCENDANTS, MAX_MODELS, MAX_USAGE_SUM
from tracker.domain.principal import Scope
from tracker.domain.records import AgentFigures, DayUsage
from tracker.domain.usage import Amounts, ModelUsage, Usage
from tracker.store.sqlite.columns import fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter
from tracker.store.sqlite.usage import ALL_PROJECTS

_COLUMNS: Final = listed(Amounts._fields)
# `sum` fails past 64 bits.
_SUMS: Final = ", ".join(
    f"CAST(min(total({name}), {MAX_USAGE_SUM}) AS INTEGER) AS {name}" for name in Amounts._fields
)
_OF_TASKS = fill(
    """
  SELECT task, model, source, {sums} FROM usage
  WHERE task IN (SELECT value FROM json_each(?)) AND shown GROUP BY task, model, source
""",
    sums=_SUMS,
)
_BY_TASK_AND_MODEL = fill(
    """
  SELECT task, model, {sums} FROM usage
  WHERE task IN (SELECT value FROM json_each(?)) AND shown GROUP BY task, model
""",
    sums=_SUMS,
)
_TOTAL_OF_TASKS = fill(
    """
  SELECT {sums} FROM usage WHERE task IN (SELECT value FROM json_each(?)) AND shown
""",
    sums=_SUMS,
)
# UNION leaves out whom it has met, and so ends in a circle.
_OF_FAMILY = fill(
    """
  WITH RECURSIVE family (id, project_id, task_id) AS (
    SELECT id, project_id, task_id FROM tasks WHERE id = :task
    UNION
    SELECT tasks.id, tasks.project_id, tasks.task_id FROM family JOIN tasks
      ON tasks.project_id = family.project_id AND tasks.parent_task_id = family.task_id
    LIMIT :limit
  )
  SELECT count(*), {sums} FROM usage WHERE task IN (SELECT id FROM family) AND shown
""",
    sums=_SUMS,
)
_KEPT = fill(
    "SELECT name, {columns} FROM usage_sums WHERE project_id = :project_id AND kind = :kind",
    columns=_COLUMNS,
)
_KEPT_IN_SCOPE = fill(
    """
  SELECT usage_sums.name, {sums}
  FROM projects CROSS JOIN usage_sums
    ON usage_sums.project_id = projects.id AND usage_sums.kind = :kind
  WHERE {in_scope} {condition} GROUP BY usage_sums.name
""",
    sums=_SUMS,
    in_scope=IN_SCOPE,
)
# As `_by_cost` has them.
_COSTLIEST = fill(
    """
  SELECT * FROM ({sums_by_name})
  ORDER BY cost_micros + estimated_micros DESC, {tokens} DESC, name LIMIT {limit}
""",
    tokens=" + ".join(name for name in Amounts._fields if name.endswith("_tokens")),
    limit=str(MAX_MODELS),
)
_ALL = fill("SELECT {sums} FROM ({sums_by_name})", sums=_SUMS)
_OF_NAMES = " AND usage_sums.name IN (SELECT value FROM json_each(:names))"
# Of agents, for there are few; of models, any number.
_WITHIN = fill(
    """
  SELECT {sums} FROM projects CROSS JOIN usage_sums
    ON usage_sums.project_id = projects.id AND usage_sums.kind = 'agent'
  WHERE {projects}
""",
    sums=_SUMS,
)
_LATEST = " ORDER BY name DESC LIMIT :limit"


def of_tasks(connection: apsw.Connection, tasks: Iterable[int]) -> dict[int, Usage]:
    """The usage of those that have told any, by their numbers."""
    found: defaultdict[int, list[ModelUsage]] = defaultdict(list)
    for task, model, source, *amounts in connection.execute(_OF_TASKS, (_json(tasks),)):
        found[task].append(ModelUsage(model, source, Amounts._make(amounts)))
    return {task: _by_cost(models) for task, models in found.items()}


def by_task_and_model(
    connection: apsw.Connection, tasks: Iterable[int]
) -> Iterator[tuple[int, str, Amounts]]:
    """What each of these has used of each model."""
    for task, model, *amounts in connection.execute(_BY_TASK_AND_MODEL, (_json(tasks),)):
        yield task, model, Amounts._make(amounts)


def total_of_tasks(connection: apsw.Connection, tasks: Iterable[int]) -> Amounts:
    """What these have used together."""
    return Amounts._make(connection.execute(_TOTAL_OF_TASKS, (_json(tasks),)).get)


def within(connection: apsw.Connection, projects: str, parameters: dict[str, Any]) -> Amounts:
    """All that was used in the projects of a condition."""
    return Amounts._make(connection.execute(fill(_WITHIN, projects=projects), parameters).get)


def of_family(connection: apsw.Connection, task: int) -> Amounts | None:
    """What the task and those that it started have used, and those that they started; of the
    nearest `MAX_DESCENDANTS`. None: nothing was told."""
    of = {"task": task, "limit": MAX_DESCENDANTS + 1}
    told, *amounts = connection.execute(_OF_FAMILY, of).get
    return Amounts._make(amounts) if told else None


def overall(connection: apsw.Connection, scope: Scope) -> Usage:
    """All that was used in the scope, by model."""
    return _by_model(connection, *_in(scope, "model"))


def with_usage(
    connection: apsw.Connection, scope: Scope, agents: Iterable[AgentFigures]
) -> list[AgentFigures]:
    """The agents, each with what it has told of."""
    known = list(agents)
    names = _json(agent.name for agent in known)
    sql, of = _in(scope, "agent", _OF_NAMES)
    rows = connection.execute(sql, {**of, "names": names})
    used = {name: Amounts._make(amounts) for name, *amounts in rows}
    return [
        agent._replace(usage=used[agent.name]) if agent.name in used else agent for agent in known
    ]


def of_project(connection: apsw.Connection, project_id: int) -> Usage:
    """All that was used in the project, by model."""
    return _by_model(connection, _KEPT, {"project_id": project_id, "kind": "model"})


def by_day(connection: apsw.Connection, project_id: int, days: int) -> tuple[DayUsage, ...]:
    """The last `days` on which usage was told, oldest first."""
    of = {"project_id": project_id, "kind": "day", "limit": days}
    latest = connection.execute(_KEPT + _LATEST, of).fetchall()
    return tuple(DayUsage(day, Amounts._make(amounts)) for day, *amounts in reversed(latest))


def of_sessions(
    connection: apsw.Connection, project_id: int, sessions: Sequence[str]
) -> dict[str, Amounts]:
    """What was used in sessions of the project, by their names."""
    of = {"project_id": project_id, "kind": "session", "names": _json(sessions)}
    rows = connection.execute(_KEPT + _OF_NAMES, of)
    return {name: Amounts._make(amounts) for name, *amounts in rows}


def _in(scope: Scope, kind: str, condition: str = "") -> tuple[str, dict[str, Any]]:
    """The SQL of a scope's sums by name, and its parameters."""
    if scope.projects is None:
        return _KEPT + condition, {"kind": kind, "project_id": ALL_PROJECTS}
    sql = _KEPT_IN_SCOPE.replace("{condition}", condition)
    return sql, {"kind": kind, "scope": parameter(scope)}


def _by_model(connection: apsw.Connection, sums_by_name: str, of: dict[str, Any]) -> Usage:
    """As many models as are answered; what is over them is added up by SQLite: agents may have told
    of any number."""
    rows: list[Any] = connection.execute(fill(_COSTLIEST, sums_by_name=sums_by_name), of).fetchall()
    costliest = _by_cost(ModelUsage(name, None, Amounts._make(amounts)) for name, *amounts in rows)
    total = Amounts._make(connection.execute(fill(_ALL, sums_by_name=sums_by_name), of).get)
    rest = total.minus(costliest.total)
    return costliest._replace(rest=Amounts._make(max(0, amount) for amount in rest))


def _by_cost(models: Iterable[ModelUsage]) -> Usage:
    """Those with the highest cost first, then those with the most tokens."""

    def order(of: ModelUsage) -> tuple[Any, ...]:
        *tokens, cost, estimated = of.amounts
        return -cost - estimated, -sum(tokens), of.model, of.source or ""

    return Usage(tuple(sorted(models, key=order)))


def _json(values: Iterable[Any]) -> str:
    return orjson.dumps([*values]).decode()
