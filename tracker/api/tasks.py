"""`/api/projects/{project_name}/tasks`: a page, one with its history, deleting one; and
`/api/tasks`: a page over all projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import falcon.asgi

from tracker.api import responses
from tracker.api.middleware.auth import Rights, actor_of, scope_of
from tracker.api.parameters import AllTasksQuery, TasksQuery
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import TaskStore
from tracker.domain.principal import Right
from tracker.domain.records import TaskPage

_FILTERS = (
    *("status", "agent", "session", "date_from", "date_to", "q", "since", "model", "cost_min"),
    *("attention", "silent", "overdue", "attempt", "attempt_min", "parent", "title"),
)


class Tasks:
    """`/api/projects/{project_name}/tasks`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str
    ) -> None:
        """A page of the project's tasks; `filters` tells which were given, as they were given."""
        query = read_query(req, TasksQuery)
        page = await self._store.tasks(scope_of(req), project_name, query.to_query())
        items = [responses.task(task, page.usage.get(task.id)) for task in page.tasks]
        _send_page(req, resp, items, page, query, _FILTERS)


class AllTasks:
    """`/api/tasks`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of the tasks of all projects, each with its project."""
        query = read_query(req, AllTasksQuery)
        page = await self._store.all_tasks(scope_of(req), query.to_query())
        items = [
            responses.task_of(project, task, page.usage.get(task.id))
            for project, task in zip(page.projects, page.tasks, strict=True)
        ]
        _send_page(req, resp, items, page, query, ("project", "task_id", *_FILTERS), query.project)


def _send_page(
    req: falcon.asgi.Request,
    resp: falcon.asgi.Response,
    items: Sequence[Any],
    page: TaskPage,
    query: TasksQuery,
    filters: Sequence[str],
    projects: Sequence[str] = (),
) -> None:
    content: dict[str, Any] = {
        "tasks": items,
        "total": page.total,
        "limit": query.limit,
        "offset": query.offset,
        "filters": {name: req.get_param(name) for name in filters if req.get_param(name)},
    }
    if len(projects) > 1:
        content["filters"]["projects"] = projects
    if page.figures is not None:
        content["figures"] = responses.task_figures(page.figures)
    send_json(req, resp, content)


class Task:
    """`/api/projects/{project_name}/tasks/{task_id}`."""

    rights = Rights(get=Right.READ, delete=Right.ADMIN)

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """The task with its history."""
        detail = await self._store.task(scope_of(req), project_name, task_id)
        send_json(req, resp, responses.task_with_history(detail))

    async def on_delete(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """Delete the task and its events."""
        await self._store.delete_task(project_name, task_id, actor_of(req))
        resp.status = 204
