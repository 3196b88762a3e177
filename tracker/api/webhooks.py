"""`POST /webhook/{start,status,finish,error,batch}` and `POST /hooks/AGENT`: the agents' side, by
one handler.

It takes a head and a body and gives a reply, and knows of no framework: a connection of ours asks
it directly (`tracker.server.http`), any other ASGI server through `WebhookMount`. All rules that
Falcon's middleware applies to other requests are asked here of the same objects, in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import falcon.asgi

from tracker.api.accepted import say_accepted
from tracker.api.body import ASGI, Receive, check_body, read_body
from tracker.api.content_coding import Coding, expand
from tracker.api.errors import ErrorHandlers
from tracker.api.hooks import Hooks
from tracker.api.middleware.auth import Authenticator, Rights, require_access
from tracker.api.middleware.guard import Guard
from tracker.api.middleware.origin import Origins
from tracker.api.middleware.ratelimit import KeyLimits, RateLimits
from tracker.api.reply import Reply
from tracker.api.reports import Pending, Reports
from tracker.api.request_head import RequestHead
from tracker.domain.principal import Principal, Right
from tracker.domain.tasks import Kind
from tracker.errors import Forbidden, TrackerError

BATCH: Final = "batch"
_PREFIX: Final = "/webhook/"

Submit = Callable[[bytes, RequestHead, Principal], Pending]


class _Webhook(NamedTuple):
    path: str
    submit: Submit
    limit: KeyLimits | None


class WebhookRequest:
    """A webhook's request whose head was checked."""

    __slots__ = ("coding", "head", "headers", "principal", "refusal", "webhook")

    principal: Principal
    """Who sent it, unless it is refused."""

    def __init__(self, webhook: _Webhook, head: RequestHead, headers: dict[str, str]) -> None:
        """`headers`: the answer's, so far."""
        self.webhook = webhook
        self.head = head
        self.headers = headers
        self.coding: Coding | None = None
        """How its body is compressed."""
        self.refusal: Reply | None = None
        """The answer, whatever its body is."""

    @property
    def is_admitted(self) -> bool:
        """Whether the sender's key was accepted, whatever else was wrong."""
        return hasattr(self, "principal")


class Webhooks:
    """The handler."""

    def __init__(
        self,
        reports: Reports,
        hooks: Hooks,
        guard: Guard,
        authenticator: Authenticator,
        limits: RateLimits,
        origins: Origins,
        errors: ErrorHandlers,
    ) -> None:
        submits: dict[str, Submit] = {
            **{f"{_PREFIX}{kind}": partial(reports.submit, kind) for kind in Kind},
            f"{_PREFIX}{BATCH}": reports.submit_batch,
            **{f"/hooks/{agent}": partial(hooks.submit, agent) for agent in hooks.agents},
        }
        self._webhooks = {
            path.encode() + suffix: _Webhook(path, submit, limits.find(path))
            for path, submit in submits.items()
            for suffix in (b"", b"/")
        }
        self._guard = guard
        self._authenticator = authenticator
        self._origins = origins
        self._errors = errors
        self._needed = WebhookRoute.rights.needed("POST")

    @property
    def paths(self) -> list[str]:
        """The paths that are answered here, but for those of `HookRoute`."""
        found = dict.fromkeys(webhook.path for webhook in self._webhooks.values())
        return [path for path in found if path.startswith(_PREFIX)]

    def handles(self, path: bytes) -> bool:
        """Whether a POST to this path, as it was sent, is answered here."""
        return path in self._webhooks

    def open(self, path: bytes, head: RequestHead) -> WebhookRequest:
        """Check everything that does not need the body."""
        webhook = self._webhooks[path]
        headers = self._origins.headers(head)
        request = WebhookRequest(webhook, head, headers)
        try:
            self._guard.check(head)
            request.principal = self._authenticator.admit(head, self._needed)
            if webhook.limit is not None:
                webhook.limit.take(request.principal, headers)
            request.coding = check_body(head)
        except Exception as error:  # noqa: BLE001 - the one place that answers failures logs them
            request.refusal = self.refuse(request, error)
        return request

    def record(
        self, request: WebhookRequest, body: bytes, on_reply: Callable[[Reply], None]
    ) -> None:
        """Record what is in `body`; `on_reply` is called once, now or later."""
        try:
            require_access(request.principal)
            if request.coding is not None:
                body = expand(body, request.coding)
            pending = request.webhook.submit(body, request.head, request.principal)
            if pending.has_forbidden:
                self._note_refusal(request)
        except Exception as error:  # noqa: BLE001 - as above
            if isinstance(error, Forbidden):
                self._note_refusal(request)
            on_reply(self.refuse(request, error))
            return
        waiting = len(pending.recorded)
        if not waiting:
            on_reply(self._reply(request, pending))

        def count(_recorded: object) -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                on_reply(self._reply(request, pending))

        for recorded in pending.recorded:
            recorded.add_done_callback(count)

    def refuse(self, request: WebhookRequest, error: Exception) -> Reply:
        """The answer to a failure."""
        reply = self._errors.reply(error, f"POST {request.webhook.path}")
        return self._with_headers(request, reply)

    def _note_refusal(self, request: WebhookRequest) -> None:
        self._authenticator.note_other_project(request.principal, request.head)

    def _reply(self, request: WebhookRequest, pending: Pending) -> Reply:
        try:
            return self._with_headers(request, pending.reply())
        except Exception as error:  # noqa: BLE001 - as above
            if isinstance(error, Forbidden):
                self._note_refusal(request)
            return self.refuse(request, error)

    def _with_headers(self, request: WebhookRequest, reply: Reply) -> Reply:
        if not request.headers:
            return reply
        return Reply(reply.status, reply.body, {**request.headers, **reply.headers})


class WebhookMount:
    """Mounts the handler in any ASGI server."""

    def __init__(self, app: ASGI, webhooks: Webhooks) -> None:
        """`app` answers everything else."""
        self._app = app
        self._webhooks = webhooks

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope.get("raw_path") or scope["path"].encode()
            if self._webhooks.handles(path):
                reply = await self._reply(path, scope, receive)
                await reply.send(send)
                return
        await self._app(scope, receive, send)

    async def _reply(self, path: bytes, scope: dict[str, Any], receive: Receive) -> Reply:
        request = self._webhooks.open(path, RequestHead.of(scope))
        if request.refusal is not None:
            return request.refusal
        say_accepted(scope)
        try:
            body = await read_body(receive)
        except TrackerError as error:
            return self._webhooks.refuse(request, error)
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._webhooks.record(request, body, partial(_set_reply, replied))
        return await replied


class WebhookRoute:
    """Falcon's route, for other methods: a POST is answered before it gets here."""

    rights = Rights(post=Right.REPORT)

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Named in `Allow`."""


def _set_reply(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():  # the client went away
        future.set_result(reply)
