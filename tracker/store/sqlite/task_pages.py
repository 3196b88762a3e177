"""Pages of tasks: of one project, or over all that somebody may see.

Newest first, and by status, agent or session, the cost of a page grows with what is on it and what
comes before it, and with the projects, not with their tasks: an index has them in that order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import apsw
import orjson

from tracker.domain import numbers, shortening
from tracker.domain.limits import MAX_INTEGER, MAX_MESSAGE_BYTES, MAX_PAGE_BYTES
from tracker.domain.principal import Scope
from tracker.domain.queries import TaskQuery
from tracker.domain.records import TaskPage
from tracker.domain.tasks import TaskSummary
from tracker.store.sqlite import search, task_figures, usage_reads
from tracker.store.sqlite.columns import DERIVED, ENDS, STATUSES, fill, listed
from tracker.store.sqlite.task_filters import Among, Chosen, choose, within

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
# Each project, or part of it, gives its own first ones.
_PICKED_BY_PROJECT: Final = """
  SELECT tasks.id FROM projects {part} CROSS JOIN tasks ON tasks.id IN (
    SELECT id FROM tasks WHERE project_id = projects.id AND {where} ORDER BY {order} LIMIT :upto
  )
  WHERE {projects} ORDER BY {order} LIMIT :limit OFFSET :offset
"""
_COUNT: Final = "SELECT count(*) FROM tasks WHERE {among} AND {where}"
_COUNT_BY_PROJECT: Final = """
  SELECT count(*) FROM projects {part}
    CROSS JOIN tasks ON tasks.project_id = projects.id AND {where}
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
_OF_AGENTS: Final = "counted.name IN (SELECT value FROM json_each(:agent))"

SORTABLE: Final = {
    "started_at": "started_at",
    "finished_at": "finished_at",
    "updated_at": "updated_at",
    "duration_seconds": "duration_ms",
    "title": "title",
}
_NEWEST: Final = TaskQuery()


def of_project(
    connection: apsw.Connection, now: int, project_id: int, query: TaskQuery
) -> TaskPage:
    """The page, at the time `now`. Those without a value to sort by come last."""
    parameters = {"project_id": project_id}
    among = Among("projects.id = :project_id", "project_id = :project_id", parameters, [project_id])
    return _page(connection, now, among, query)


def of_scope(connection: apsw.Connection, now: int, scope: Scope, query: TaskQuery) -> TaskPage:
    """Likewise, over the projects of a scope, or those of them that the query names."""
    scope = scope.narrowed_to(query.projects)
    among = within(connection, scope)
    if among.ids is not None and len(among.ids) == 1:
        return of_project(connection, now, among.ids[0], query)
    return _page(connection, now, among, query)


def _page(connection: apsw.Connection, now: int, among: Among, query: TaskQuery) -> TaskPage:
    chosen = choose(connection, now, among, query)
    picked, of = _picked(chosen, query)
    rows: list[Any] = connection.execute(
        fill(fill(_PAGE, picked=picked), order=_order(query)), of
    ).fetchall()
    tasks = _bounded(TaskSummary._make(row[1:]) for row in rows)
    total = _counted(connection, chosen)
    if total is None:
        count = chosen.fill(_COUNT_BY_PROJECT if chosen.by_project else _COUNT)
        total = connection.execute(count, chosen.parameters).get
    used = usage_reads.of_tasks(connection, (task.id for task in tasks))
    figures = None
    if query.figures:
        newest, of = _picked(chosen, _NEWEST._replace(limit=task_figures.SAMPLE))
        figures = task_figures.of(
            connection, chosen, fill(newest, order=_order(_NEWEST)), of, int(total)
        )
    return TaskPage(tasks, int(total), used, [row[0] for row in rows], figures)


def _picked(chosen: Chosen, query: TaskQuery) -> tuple[str, dict[str, Any]]:
    """The ids of the page, in an order that is to be filled in; and the parameters."""
    sql = chosen.fill(_PICKED_BY_PROJECT if chosen.by_project else _PICKED)
    return sql, {
        **chosen.parameters,
        "limit": query.limit,
        "offset": query.offset,
        "upto": min(query.limit + query.offset, MAX_INTEGER),
    }


def _order(query: TaskQuery) -> str:
    column = SORTABLE[query.sort_by]
    direction = "DESC" if query.descending else "ASC"
    nulls = "" if column in ("started_at", "updated_at", "title") else " NULLS LAST"
    return f"tasks.{column} {direction}{nulls}, tasks.id {direction}"


def _counted(connection: apsw.Connection, chosen: Chosen) -> int | None:
    """Counters answer what they can, so that the cost does not grow with the tasks; and the index
    that tells projects apart does what it can, without a look at the tasks. None: they cannot."""
    filters, among = chosen.filters, chosen.among
    statuses = filters.get("status", STATUSES)
    match sorted(filters.keys() - {"status"}):
        case []:
            sql, columns = _COUNTED, list(statuses)
        case ["agent"] if "status" not in filters or set(statuses) <= set(ENDS):
            sql = fill(_COUNTED_BY, counters="project_agents", name=_OF_AGENTS)
            counted = statuses if "status" in filters else ("task_count",)
            columns = [f"counted.{name}" for name in counted]
        case ["session"]:
            sql = fill(_COUNTED_BY, counters="agent_sessions", name="counted.session = :session")
            columns = [f"counted.{name}" for name in statuses]
        case ["q"] if "status" not in filters and (
            among.ids is None or chosen.text_index == search.PROJECT_INDEX
        ):
            sql, columns = fill(_COUNT_FOUND, index=chosen.text_index), []
        case _:
            return None
    counts = f"coalesce(sum({' + '.join(dict.fromkeys(columns))}), 0)"
    sql = fill(sql, counts=counts, projects=among.projects)
    return int(connection.execute(sql, chosen.parameters).get)


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
