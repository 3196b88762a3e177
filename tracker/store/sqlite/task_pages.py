"""Pages of tasks: of one project, or over all that somebody may see.

Newest first, and by status, agent or session, the cost of a page grows with what is on it and what
comes before it, and with the projects, not with their tasks: an index has them in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import apsw
import orjson

from tracker.domain import numbers, shortening
from tracker.domain.limits import MAX_INTEGER, MAX_MESSAGE_BYTES, MAX_PAGE_BYTES
from tracker.domain.principal import Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.records import TaskPage
from tracker.domain.tasks import ACTIVE, TaskSummary
from tracker.store.sqlite import projects, search, usage_reads
from tracker.store.sqlite.columns import DERIVED, ENDS, STATUSES, fill, listed
from tracker.store.sqlite.scope import IN_SCOPE, parameter

SUMMARY: Final = listed(DERIVED.get(name, name) for name in TaskSummary._fields)
"""The columns of a `TaskSummary`, at the time `:now`."""

# In bytes: so much of each task is on a page that is too large.
_SMALL_TASK: Final = 16 * 1024

_PAGE: Final = fill(
    """
  SELECT (SELECT name FROM projects WHERE projects.id = tasks.project_id), {columns}
  FROM tasks WHERE id IN ({picked}) ORDER BY {order}
""",
    columns=SUMMARY,
)
_PICKED: Final = """
  SELECT id FROM tasks WHERE {among} AND {where} ORDER BY {order} LIMIT :limit OFFSET :offset
"""
# Each project gives its own first ones.
_PICKED_BY_PROJECT: Final = """
  SELECT tasks.id FROM projects CROSS JOIN tasks ON tasks.id IN (
    SELECT id FROM tasks WHERE project_id = projects.id AND {where} ORDER BY {order} LIMIT :upto
  )
  WHERE {projects} ORDER BY {order} LIMIT :limit OFFSET :offset
"""
_COUNT: Final = "SELECT count(*) FROM tasks WHERE {among} AND {where}"
_COUNT_BY_PROJECT: Final = """
  SELECT count(*) FROM projects CROSS JOIN tasks ON tasks.project_id = projects.id AND {where}
  WHERE {projects}
"""
_COUNT_FOUND: Final = "SELECT count(*) FROM {index} WHERE {index} MATCH :q"
_COUNTED: Final = "SELECT {counts} FROM projects WHERE {projects}"
# By agent, or by session.
_COUNTED_BY: Final = """
  SELECT {counts} FROM projects CROSS JOIN {counters} AS counted
    ON counted.project_id = projects.id AND {name}
  WHERE {projects}
"""

_FILTERS: Final = {
    "status": "status = :status",
    "agent": "agent = :agent",
    "session": "session = :session",
    "task_id": "task_id = :task_id",
    "date_from": "started_at >= :date_from",
    "date_to": "finished_at <= :date_to",
    "q": "id IN (SELECT rowid FROM {index} WHERE {index} MATCH :q)",
}
# What the tasks of each project are in order by.
_IN_ORDER_BY_PROJECT: Final = frozenset({"status", "agent", "session"})
# What finds a few by itself, wherever they are.
_SELECTIVE: Final = frozenset({"q", "task_id"})
SORTABLE: Final = {
    "started_at": "started_at",
    "finished_at": "finished_at",
    "updated_at": "updated_at",
    "duration_seconds": "duration_ms",
    "title": "title",
}


class _Among(NamedTuple):
    """Whose tasks: as a condition on `projects`, one on `tasks`, their parameters, and the ids;
    None: everybody's."""

    projects: str
    tasks: str
    parameters: dict[str, Any]
    ids: Sequence[int] | None


def of_project(
    connection: apsw.Connection, now: int, project_id: int, query: TaskQuery
) -> TaskPage:
    """The page, at the time `now`. Those without a value to sort by come last."""
    parameters = {"project_id": project_id}
    among = _Among(
        "projects.id = :project_id", "project_id = :project_id", parameters, [project_id]
    )
    return _page(connection, now, among, query)


def of_scope(connection: apsw.Connection, now: int, scope: Scope, query: TaskQuery) -> TaskPage:
    """Likewise, over the projects of a scope, or the one of them that the query names."""
    scope = scope.narrowed(query.project)
    ids = None if scope.projects is None else projects.ids(connection, scope)
    if ids is not None and len(ids) == 1:
        return of_project(connection, now, ids[0], query)
    of_tasks = fill("project_id IN (SELECT id FROM projects WHERE {in_scope})", in_scope=IN_SCOPE)
    among = _Among(IN_SCOPE, "TRUE" if ids is None else of_tasks, {"scope": parameter(scope)}, ids)
    return _page(connection, now, among, query)


def _page(connection: apsw.Connection, now: int, among: _Among, query: TaskQuery) -> TaskPage:
    filters, index = query.filters, ""
    if query.q is not None:
        index, filters["q"] = search.match(connection, among.ids, query.q)
    conditions = [_FILTERS[name] for name in filters]
    if "agent" in filters and filters.get("status") in ACTIVE:
        # An agent may have had very many tasks, of which few are under way: these by their status.
        conditions[conditions.index(_FILTERS["agent"])] = f"+{_FILTERS['agent']}"
    where = (" AND ".join(conditions) or "TRUE").format(index=index)
    by_project = filters.keys().isdisjoint(_SELECTIVE) and (
        not filters.keys().isdisjoint(_IN_ORDER_BY_PROJECT)
        if among.ids is None
        else len(among.ids) != 1
    )
    sql = {"among": among.tasks, "projects": among.projects, "where": where}
    of = {
        **(among.parameters | filters),
        "now": now,
        "limit": query.limit,
        "offset": query.offset,
        "upto": min(query.limit + query.offset, MAX_INTEGER),
    }
    picked = fill(_PICKED_BY_PROJECT if by_project else _PICKED, **sql)
    page = fill(fill(_PAGE, picked=picked), order=_order(query))
    rows: list[Any] = connection.execute(page, of).fetchall()
    tasks = _bounded(TaskSummary._make(row[1:]) for row in rows)
    total = _counted(connection, among, filters, index)
    if total is None:
        count = fill(_COUNT_BY_PROJECT if by_project else _COUNT, **sql)
        total = connection.execute(count, of).get
    used = usage_reads.of_tasks(connection, (task.id for task in tasks))
    return TaskPage(tasks, int(total), used, [row[0] for row in rows])


def _order(query: TaskQuery) -> str:
    column = SORTABLE[query.sort_by]
    direction = "DESC" if query.descending else "ASC"
    nulls = "" if column in ("started_at", "updated_at", "title") else " NULLS LAST"
    return f"tasks.{column} {direction}{nulls}, tasks.id {direction}"


def _counted(
    connection: apsw.Connection, among: _Among, filters: dict[str, Any], index: str
) -> int | None:
    """Counters answer what they can, so that the cost does not grow with the tasks; and the index
    that tells projects apart does what it can, without a look at the tasks. None: they cannot."""
    status = filters.get("status")
    statuses = STATUSES if status is None else (status,)
    match sorted(filters.keys() - {"status"}):
        case []:
            sql, columns = _COUNTED, list(statuses)
        case ["agent"] if status is None or status in ENDS:
            sql = fill(_COUNTED_BY, counters="project_agents", name="counted.name = :agent")
            columns = ["counted.task_count" if status is None else f"counted.{status}"]
        case ["session"]:
            sql = fill(_COUNTED_BY, counters="agent_sessions", name="counted.session = :session")
            columns = [f"counted.{name}" for name in statuses]
        case ["q"] if status is None and (among.ids is None or index == search.PROJECT_INDEX):
            sql, columns = fill(_COUNT_FOUND, index=index), []
        case _:
            return None
    counts = f"coalesce(sum({' + '.join(columns)}), 0)"
    sql = fill(sql, counts=counts, projects=among.projects)
    return int(connection.execute(sql, among.parameters | filters).get)


def _bounded(tasks: Iterable[TaskSummary]) -> list[TaskSummary]:
    """All of them: clients count on what a page has. The large are cut, and once the page is large
    everything that is not small."""
    page: list[TaskSummary] = []
    size = 0
    for task in tasks:
        most = MAX_MESSAGE_BYTES if size < MAX_PAGE_BYTES else _SMALL_TASK
        page.append(task if _size(task) <= most else _shortened(task))
        size += _size(page[-1])
    return page


def _size(task: TaskSummary) -> int:
    """Its long texts, in bytes."""
    texts = (task.metadata, task.result, task.message, task.error_message, task.requests)
    return sum(len(text.encode()) for text in texts if text is not None)


def _shortened(task: TaskSummary) -> TaskSummary:
    content = {**task._asdict(), "metadata": numbers.loads(task.metadata.encode())}
    cut = shortening.fields(content, _SMALL_TASK)
    cut["metadata"] = orjson.dumps(cut["metadata"]).decode()
    return TaskSummary(**{**cut, "requests": shortening.requests(task.requests), "truncated": 1})
