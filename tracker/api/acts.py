"""What a person does about a task: `…/tasks/{task_id}/acknowledge`, `…/snooze`, `…/fail`."""

from __future__ import annotations

from typing import Annotated

import falcon.asgi
import orjson
from pydantic import BaseModel, ConfigDict, Field

from tracker.api import responses
from tracker.api.middleware.auth import Rights, principal_of, scope_of
from tracker.api.resources import read_json
from tracker.clock import Clock
from tracker.domain.acts import MAX_SNOOZE_MS, Act, Deed, FailedByHand
from tracker.domain.fields import Message
from tracker.domain.ports import TaskStore
from tracker.domain.principal import Right

_MAX_MINUTES = MAX_SNOOZE_MS // 60_000


class SnoozeBody(BaseModel):
    """`POST …/snooze`."""

    # A misspelt field would be another time than was meant.
    model_config = ConfigDict(extra="forbid")

    minutes: Annotated[float, Field(strict=True, gt=0, le=_MAX_MINUTES)] = Field(
        examples=[30], description="From now on."
    )


class FailBody(BaseModel):
    """`POST …/fail`."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Message, Field(min_length=1)] = Field(
        examples=["The machine it ran on is gone"]
    )


class _OfTask:
    def __init__(self, store: TaskStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def _send(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project: str, task_id: str
    ) -> None:
        """The task as it is now, as `/api/tasks` lists it."""
        found = await self._store.task(scope_of(req), project, task_id)
        content = responses.task_of(project, found.summary, found.usage)
        resp.data = orjson.dumps(content)


class Acknowledgement(_OfTask):
    """`/api/projects/{project_name}/tasks/{task_id}/acknowledge`."""

    rights = Rights(post=Right.ANSWER, delete=Right.ANSWER)

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """Somebody has seen it. Raises NotFound."""
        deed = Deed(Act.ACKNOWLEDGE, principal_of(req).name)
        await self._store.act(scope_of(req), project_name, task_id, deed)
        await self._send(req, resp, project_name, task_id)

    async def on_delete(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """As if nobody had. Raises NotFound."""
        deed = Deed(Act.ACKNOWLEDGE, principal_of(req).name, is_undone=True)
        await self._store.act(scope_of(req), project_name, task_id, deed)
        await self._send(req, resp, project_name, task_id)


class Snooze(_OfTask):
    """`/api/projects/{project_name}/tasks/{task_id}/snooze`."""

    rights = Rights(post=Right.ANSWER, delete=Right.ANSWER)

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """It can wait until then. Raises NotFound, ValidationFailed."""
        body = await read_json(req, SnoozeBody)
        until = self._clock.now_ms() + max(1, round(body.minutes * 60_000))
        deed = Deed(Act.SNOOZE, principal_of(req).name, until)
        await self._store.act(scope_of(req), project_name, task_id, deed)
        await self._send(req, resp, project_name, task_id)

    async def on_delete(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """It cannot. Raises NotFound."""
        deed = Deed(Act.SNOOZE, principal_of(req).name, is_undone=True)
        await self._store.act(scope_of(req), project_name, task_id, deed)
        await self._send(req, resp, project_name, task_id)


class Failure(_OfTask):
    """`/api/projects/{project_name}/tasks/{task_id}/fail`."""

    rights = Rights(post=Right.ANSWER)

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, project_name: str, task_id: str
    ) -> None:
        """End it as failed, by the one way of reports. Raises NotFound, Conflict: it has ended."""
        body = await read_json(req, FailBody)
        failed = FailedByHand(project_name, task_id, body.reason, principal_of(req).name)
        await self._store.fail(scope_of(req), failed)
        await self._send(req, resp, project_name, task_id)
