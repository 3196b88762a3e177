"""What MCP's tools, resources and prompts come to: reports, and reads of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Protocol
from urllib.parse import quote, unquote

import orjson
from pydantic import Field

from tracker.api import responses
from tracker.api.parameters import AllTasksQuery
from tracker.api.reports import Reports
from tracker.api.schemas import validate
from tracker.domain.ports import ProjectStore, StatsReader, TaskStore
from tracker.domain.principal import Principal, Right
from tracker.domain.queries import ProjectQuery, TaskQuery
from tracker.domain.records import TaskDetail
from tracker.domain.tasks import Status
from tracker.errors import Forbidden, NotFound, RateLimited, TrackerError
from tracker.mcp import catalogue
from tracker.mcp.catalogue import PROJECTS_URI, UNTRUSTED, Tool
from tracker.mcp.messages import INVALID_PARAMS, RpcError
from tracker.mcp.server import failed

# Days of a project's figures.
_DAYS: Final = 30

# The newest of a task's events, and a page of projects or tasks.
_EVENTS: Final = 20
_PAGE: Final = 50

_JSON: Final = "application/json"


class McpStore(TaskStore, ProjectStore, StatsReader, Protocol):
    """What can be asked for."""


class _Tasks(AllTasksQuery):
    """The arguments of `list_tasks` and `search_tasks`. A model reads all of a page."""

    limit: Annotated[int, Field(ge=1, le=_PAGE)] = 20


class McpBackend:
    """See `tracker.mcp.server.Backend`."""

    def __init__(
        self,
        store: McpStore,
        reports: Reports,
        principal: Principal,
        demand: Callable[[Right], Awaitable[None]],
        note_other_project: Callable[[], None],
    ) -> None:
        """`demand` raises Forbidden unless whoever asks has the right, and waits for their turn.
        `note_other_project` is called when they report to a project that is not theirs."""
        self._store = store
        self._reports = reports
        self._principal = principal
        self._scope = principal.scope
        self._demand = demand
        self._note_other_project = note_other_project
        self._readers: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "list_tasks": self._list_tasks,
            "search_tasks": self._list_tasks,
            "get_task": self._get_task,
            "stats": self._stats,
        }

    def tools(self) -> list[Tool]:
        """Those that the key is for."""
        return [tool for tool in catalogue.TOOLS if _needed(tool) in self._principal.rights]

    async def call(self, tool: Tool, arguments: dict[str, Any], client: str) -> dict[str, Any]:
        """What a tool comes to; what is wrong with the call is for the model to read. Raises
        RateLimited."""
        try:
            await self._demand(_needed(tool))
            if tool.kind is None:
                return _data(await self._readers[tool.name](arguments))
            return await self._report(tool, arguments, client)
        except RateLimited:
            raise
        except TrackerError as error:
            issues = [f"{issue.field}: {issue.issue}" for issue in error.issues]
            return failed("\n".join([error.message, *issues]))

    async def resources(self, cursor: str | None) -> dict[str, Any]:
        """The list of projects, and each of them."""
        await self._demand_read()
        offset = _offset(cursor)
        page = await self._store.projects(self._scope, ProjectQuery(_PAGE, offset))
        found = [_resource(PROJECTS_URI, "projects", "All projects")] if not offset else []
        for project in page.projects:
            name = project.name
            found.append(_resource(_project_uri(name), name, f"The project {name}"))
        end = offset + len(page.projects)
        return {"resources": found, **({"nextCursor": f"{end}"} if end < page.total else {})}

    async def read(self, uri: str) -> list[dict[str, Any]]:
        """A resource by its address."""
        await self._demand_read()
        try:
            content = await self._at(uri)
        except TrackerError as error:
            raise RpcError(INVALID_PARAMS, error.message, {"uri": uri}) from None
        return [{"uri": uri, "mimeType": _JSON, "text": _dumped(_marked(content))}]

    async def prompt(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The newest failures, and what is asked of them."""
        if name != catalogue.WHAT_FAILED:
            raise RpcError(INVALID_PARAMS, f"There is no prompt {name!r}.")
        await self._demand_read()
        project = arguments.get("project") or None
        if not isinstance(project, str | None):
            raise RpcError(INVALID_PARAMS, "`project` has to be a string.")
        query = TaskQuery(status=(Status.FAILED,), projects=(project,) if project else ())
        content = await self._page(query._replace(limit=20))
        of = f" of the project {project!r}" if project else ""
        question = (
            f"These are the newest failed tasks{of}. Say in a few lines what failed and why: group "
            "them by cause, name the tasks of each, and what to look at first."
        )
        texts = (question, _dumped(_marked(content)))
        messages = [{"role": "user", "content": {"type": "text", "text": text}} for text in texts]
        return {"description": "What failed and why", "messages": messages}

    async def _demand_read(self) -> None:
        try:
            await self._demand(Right.READ)
        except RateLimited:
            raise
        except TrackerError as error:
            raise RpcError(INVALID_PARAMS, error.message) from None

    async def _report(self, tool: Tool, arguments: dict[str, Any], client: str) -> dict[str, Any]:
        fields = catalogue.report_fields(tool, arguments, client)
        if tool.kind is None:
            raise ValueError(tool.name)
        try:
            pending = self._reports.submit_fields(tool.kind, fields, self._principal)
        except Forbidden:
            self._note_other_project()
            raise
        await asyncio.gather(*pending.recorded)
        answer = {"project": fields["project"], **orjson.loads(pending.reply().body)}
        return {
            "content": [{"type": "text", "text": _dumped(answer)}],
            "structuredContent": answer,
        }

    async def _list_tasks(self, arguments: dict[str, Any]) -> Any:
        return await self._page(validate(_Tasks, arguments).to_query())

    async def _page(self, query: TaskQuery) -> dict[str, Any]:
        page = await self._store.all_tasks(self._scope, query)
        tasks = [
            responses.task_of(project, task, page.usage.get(task.id))
            for project, task in zip(page.projects, page.tasks, strict=True)
        ]
        return {"tasks": tasks, "total": page.total}

    async def _get_task(self, arguments: dict[str, Any]) -> Any:
        query = validate(_Tasks, arguments).to_query()
        task_id = query.task_id or ""
        if query.projects:
            return _task(await self._store.task(self._scope, query.projects[0], task_id))
        page = await self._store.all_tasks(self._scope, query._replace(limit=_PAGE))
        if not page.projects:
            raise NotFound(f"There is no task {task_id!r}; list_tasks tells which there are.")
        if len(page.projects) > 1:
            raise NotFound(f"Several projects have it, say which: {', '.join(page.projects)}.")
        return _task(await self._store.task(self._scope, page.projects[0], task_id))

    async def _stats(self, arguments: dict[str, Any]) -> Any:
        projects = validate(_Tasks, arguments).project
        if not projects:
            return responses.overall_stats(await self._store.overall_stats(self._scope))
        stats = await self._store.project_stats(self._scope, projects[0], _DAYS)
        return responses.project_stats(stats)

    async def _at(self, uri: str) -> Any:
        match _segments(uri):
            case []:
                page = await self._store.projects(self._scope, ProjectQuery(_PAGE))
                found = [responses.project(project) for project in page.projects]
                return {"projects": found, "total": page.total}
            case [project]:
                figures = await self._stats({"project": project})
                return {"stats": figures, **await self._page(TaskQuery(projects=(project,)))}
            case [project, "tasks", task_id]:
                return _task(await self._store.task(self._scope, project, task_id))
        raise NotFound(f"There is no resource {uri!r}.")


def _needed(tool: Tool) -> Right:
    return Right.READ if tool.kind is None else Right.REPORT


def _task(detail: TaskDetail) -> dict[str, Any]:
    whole = responses.task_with_history(detail)
    events = whole["events"]
    return {**whole, "events": events[-_EVENTS:], "events_left_out": max(0, len(events) - _EVENTS)}


def _marked(content: Any) -> dict[str, Any]:
    return {"note": UNTRUSTED, "data": content}


def _data(content: Any) -> dict[str, Any]:
    marked = _marked(content)
    return {
        "content": [{"type": "text", "text": _dumped(marked)}],
        "structuredContent": marked,
    }


def _dumped(content: Any) -> str:
    return orjson.dumps(content).decode()


def _resource(uri: str, name: str, title: str) -> dict[str, Any]:
    return {"uri": uri, "name": name, "title": title, "mimeType": _JSON}


def _project_uri(name: str) -> str:
    return f"{PROJECTS_URI}/{quote(name, safe='')}"


def _segments(uri: str) -> list[str] | None:
    """Those after the address of all projects; None: it is not below that."""
    if uri == PROJECTS_URI:
        return []
    rest = uri.removeprefix(f"{PROJECTS_URI}/")
    return None if rest == uri else [unquote(part, errors="replace") for part in rest.split("/")]


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise RpcError(INVALID_PARAMS, "`cursor` is not one of ours.")
    return int(cursor)
