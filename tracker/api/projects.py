"""`/api/projects`: the list, one of them, deleting it."""

from __future__ import annotations

import falcon.asgi

from tracker.api import responses
from tracker.api.middleware.auth import Rights, actor_of, scope_of
from tracker.api.parameters import OneProjectQuery, ProjectsQuery
from tracker.api.resources import read_query, send_json
from tracker.domain.ports import ProjectStore
from tracker.domain.principal import Right, no_such_project
from tracker.domain.queries import ProjectQuery


class Projects:
    """`/api/projects`."""

    rights = Rights(get=Right.READ)

    def __init__(self, store: ProjectStore) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of projects."""
        query = read_query(req, ProjectsQuery)
        page = await self._store.projects(scope_of(req), query.to_query())
        send_json(
            req,
            resp,
            {
                "projects": [responses.project(project) for project in page.projects],
                "total": page.total,
                "limit": query.limit,
                "offset": query.offset,
            },
        )


class Project:
    """`/api/projects/{project_name}`."""

    rights = Rights(get=Right.READ, delete=Right.ADMIN)

    def __init__(self, store: ProjectStore) -> None:
        self._store = store

    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str
    ) -> None:
        """The project, as in the list. Raises NotFound."""
        query = ProjectQuery(activity_days=read_query(req, OneProjectQuery).activity_days)
        page = await self._store.projects(scope_of(req).narrowed(project_name), query)
        if not page.projects:
            raise no_such_project(project_name)
        send_json(req, resp, responses.project(page.projects[0]))

    async def on_delete(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str
    ) -> None:
        """Delete the project, its tasks and their events."""
        await self._store.delete_project(project_name, actor_of(req))
        resp.status = 204
