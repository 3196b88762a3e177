"""The Python SDK: agents report through it, scripts read with it. Standard library only.

    from agent_task_tracker import Client

    client = Client("http://localhost:8000", "your-api-key")
    client.start("my-project", "Build the feature", "task-123", "my-agent")
    client.finish("my-project", "Build the feature", "task-123", "my-agent", result="done")

A call that cannot get through is tried again for `patience` seconds. Reports carry an
Idempotency-Key, so one whose answer was lost on the way is never recorded twice.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Unpack
from urllib.parse import quote

from agent_task_tracker import shapes
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.errors import ClientError, TooLarge
from agent_task_tracker.filters import TaskFilters, as_parameters
from agent_task_tracker.further import Further
from agent_task_tracker.shapes import Shape
from agent_task_tracker.transport import Json, Retries, Transient, Transport
from agent_task_tracker.trimming import trim_stack_trace

# The server's largest pages.
_PAGE: Final = 500
_EVENT_PAGE: Final = 1000

# Names that a path cannot carry: on the way they are taken for steps in it.
_NO_SEGMENTS: Final = (".", "..")

_BEYOND_ANY_EVENT: Final = 2**63 - 1


class Client:
    """Speaks to one server. Keeps no connection open between calls; any thread may use it.

    Calls raise `Refused` with the server's own message when it answers with an error, and
    `Unreachable` when no answer came within `patience` seconds.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 10.0,
        patience: float = 10.0,
        ca_file: str | None = None,
    ) -> None:
        """`url`: http, https or, for a Unix socket, unix:/path. `timeout`: seconds to wait for one
        answer; `patience`: seconds to keep trying; `ca_file`: trusted certificates in PEM, instead
        of the system's."""
        self._transport = Transport(url, ExplicitKey(api_key), timeout, patience, ca_file)

    @classmethod
    def over(cls, transport: Transport) -> Client:
        """A client that uses `transport`, with its credentials."""
        client = cls.__new__(cls)
        client._transport = transport
        return client

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    def start(
        self,
        project: str,
        task: str,
        task_id: str,
        agent: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Json:
        """The task begins, or a new attempt at one that had ended. Returns the server's answer."""
        return self._report(
            "start",
            further,
            project=project,
            task=task,
            task_id=task_id,
            agent=agent,
            metadata=metadata,
        )

    def status(
        self,
        project: str,
        task: str,
        task_id: str,
        agent: str,
        *,
        status: str = "running",
        progress: float | None = None,
        message: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Json:
        """How far the task is: `progress` in percent, `status` one of pending, running, completed
        and failed."""
        return self._report(
            "status",
            further,
            project=project,
            task=task,
            task_id=task_id,
            agent=agent,
            metadata=metadata,
            status=status,
            progress=progress,
            message=message,
        )

    def finish(
        self,
        project: str,
        task: str,
        task_id: str,
        agent: str,
        *,
        result: str | None = None,
        duration_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Json:
        """The task is done. Without `duration_seconds` the server measures from the start."""
        return self._report(
            "finish",
            further,
            project=project,
            task=task,
            task_id=task_id,
            agent=agent,
            metadata=metadata,
            result=result,
            duration_seconds=duration_seconds,
        )

    def error(
        self,
        project: str,
        task: str,
        task_id: str,
        agent: str,
        *,
        error_type: str,
        error_message: str,
        stack_trace: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **further: Unpack[Further],
    ) -> Json:
        """The task failed. A stack trace over the server's limit is sent as its head and tail."""
        return self._report(
            "error",
            further,
            project=project,
            task=task,
            task_id=task_id,
            agent=agent,
            metadata=metadata,
            error_type=error_type,
            error_message=error_message,
            stack_trace=None if stack_trace is None else trim_stack_trace(stack_trace),
        )

    def health(self) -> Json:
        """The server's `/health`, which needs no key."""
        return self._transport.get("/health", {}, shapes.HEALTH, without_key=True)

    def projects(self) -> Iterator[Json]:
        """All projects, by name."""
        ordered = {"sort_by": "name", "sort_order": "asc"}
        return self._pages("/api/projects", "projects", shapes.PROJECTS, **ordered)

    def project(self, project: str) -> Json:
        """One project, as in the list."""
        return self._get(f"/api/projects/{segment(project)}", shapes.PROJECT)

    def delete_project(self, project: str) -> None:
        """Remove a project with all of its tasks and their history. Raises ClientError: no path
        can carry the name."""
        self._delete("/api/projects/{}", project)

    def delete_task(self, project: str, task_id: str) -> None:
        """Remove a task with its history. Raises ClientError: see `delete_project`."""
        self._delete("/api/projects/{}/tasks/{}", project, task_id)

    def tasks(self, project: str | None = None, **chosen: Unpack[TaskFilters]) -> Iterator[Json]:
        """A project's tasks, newest first; None: those of all projects, each with its `project`."""
        wanted = as_parameters(chosen)
        if project is None or project in _NO_SEGMENTS:
            return self._pages("/api/tasks", "tasks", shapes.ALL_TASKS, project=project, **wanted)
        path = f"/api/projects/{segment(project)}/tasks"
        return self._pages(path, "tasks", shapes.TASKS, **wanted)

    def timeline(
        self,
        begin: str = "1h",
        end: str | None = None,
        *,
        bins: int = 60,
        project: str | None = None,
        **chosen: Unpack[TaskFilters],
    ) -> Json:
        """What agents did from `begin` until `end` (None: now), each a time or so long ago (`60m`,
        `3d`): by agent in `bins` of equal length, and one by one while the tasks are few."""
        within = {"from": begin, "to": end, "bins": bins, "project": project}
        return self._get("/api/timeline", shapes.TIMELINE, **within, **as_parameters(chosen))

    def sessions(
        self, project: str | None = None, *, active: bool | None = None, host: str | None = None
    ) -> Iterator[Json]:
        """The conversations and runs that tasks belong to, those that reported last first; with
        `active`, those that have a task that has not ended, or have none; those on `host`."""
        is_active = None if active is None else int(active)
        wanted = {"project": project, "active": is_active, "host": host}
        return self._pages("/api/sessions", "sessions", shapes.SESSIONS, **wanted)

    def task(self, project: str, task_id: str) -> Json:
        """One task with its history."""
        path = f"/api/projects/{segment(project)}/tasks/{segment(task_id)}"
        return self._get(path, shapes.TASK)

    def stats(self, project: str | None = None) -> Json:
        """The figures over everything, or of one project."""
        if project is None:
            return self._get("/api/stats", shapes.STATS)
        return self._get(f"/api/stats/projects/{segment(project)}", shapes.PROJECT_STATS)

    def last_event_id(self) -> int:
        """The number of the newest event; 0 before the first."""
        answer = self._get("/api/events", shapes.EVENTS, since=_BEYOND_ANY_EVENT, limit=1)
        return int(answer["last_id"])

    def events(
        self,
        since: int = 0,
        *,
        project: str | None = None,
        task_id: str | None = None,
        type: str | None = None,  # noqa: A002 - the API's name for it
    ) -> Iterator[Json]:
        """The events after number `since`, oldest first, up to the present end of the log.

        As in `follow`, a message of type `resync_required` says that the log no longer holds
        `since`, or is another one since a restore; what is left of it follows.
        """
        wanted = {"project": project, "task_id": task_id, "type": type}
        limit, more = _EVENT_PAGE, True
        while more:
            page, limit = self._page("/api/events", shapes.EVENTS, limit, since=since, **wanted)
            if page["resync_required"] and since:
                ends = {"oldest_id": page["oldest_id"], "last_id": page["last_id"]}
                yield {"type": "resync_required", "data": ends}
                since = 0
                continue
            yield from page["events"]
            more = page["has_more"] and page["last_id"] > since
            since = page["last_id"]

    def newest_events(self, count: int, *, project: str | None = None) -> list[Json]:
        """The newest `count` events, oldest first."""
        found: list[Json] = []
        before, path = None, "/api/events"
        while len(found) < count:
            wanted = min(count - len(found), _EVENT_PAGE)
            page = self._get(path, shapes.EVENTS, newest=wanted, before=before, project=project)
            if not page["events"] or (found and page["events"][-1]["id"] >= found[0]["id"]):
                break
            found = [*page["events"], *found]
            before = found[0]["id"]
        return found

    def follow(self, since: int | None = None, *, project: str | None = None) -> Iterator[Json]:
        """The events after number `since` (None: from now on), then each as it comes, for ever.

        After a broken connection it resumes where that broke, however long the server is away;
        only the first one has `patience` seconds. A message of type `resync_required` says that
        the log no longer holds `since`; what is left of it follows.
        """
        cursor = self.last_event_id() if since is None else since
        retries = self._transport.retries()
        while True:
            parameters = {"since": cursor, "project": project}
            try:
                for message in self._stream(parameters, retries.never_end):
                    retries = Retries(math.inf)
                    cursor = message.get("id", 0)
                    yield message
            except Transient as failure:
                retries.pause_after(failure)

    def _delete(self, path: str, *names: str) -> None:
        # A proxy would take the step, and have something else deleted.
        if not all(names) or set(names) & set(_NO_SEGMENTS):
            raise ClientError("no path can carry this name, so it cannot be deleted by it")
        self._transport.send("DELETE", path.format(*map(segment, names)))

    def _report(self, kind: str, further: Further, **fields: Any) -> Json:
        given = {**fields, **further}
        present = {name: value for name, value in given.items() if value is not None}
        if "attention" in further and further.get("attention_id"):
            present["attention"] = further["attention"]
        # Lone surrogates, as in names of files that are not UTF-8, become question marks.
        body = json.dumps(present, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        key = secrets.token_urlsafe(18)
        return self._transport.post(f"/webhook/{kind}", body, key, shapes.REPORTED)

    def _stream(
        self, parameters: Mapping[str, Any], connected: Callable[[], None]
    ) -> Iterator[Json]:
        path = "/api/events/stream"
        return self._transport.stream(path, parameters, shapes.MESSAGE, connected)

    def _pages(self, path: str, name: str, shape: Shape, **parameters: Any) -> Iterator[Json]:
        offset, limit = 0, _PAGE
        while True:
            page, limit = self._page(path, shape, limit, **parameters, offset=offset)
            yield from page[name]
            offset += limit
            # A page that is not full is the last, whatever a stranger's server says of more.
            if offset >= page["total"] or len(page[name]) < limit:
                return

    def _page(self, path: str, shape: Shape, limit: int, **parameters: Any) -> tuple[Json, int]:
        """A page of at most `limit` items, and the limit that was used: less if items are large."""
        while True:
            try:
                return self._get(path, shape, **parameters, limit=limit), limit
            except TooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)

    def _get(self, path: str, shape: Shape, **parameters: Any) -> Json:
        return self._transport.get(path, parameters, shape)


def segment(name: str) -> str:
    """A name as a part of a path. Lone surrogates, as in arguments that are not UTF-8, become
    question marks."""
    return quote(name, safe="", errors="replace")
