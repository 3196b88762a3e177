"""`/mcp`: the Model Context Protocol over HTTP ("Streamable HTTP"), without streams or sessions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import falcon.asgi
import orjson

from tracker.api.middleware.auth import Authenticator, Rights, principal_of
from tracker.api.middleware.origin import Origins
from tracker.api.middleware.turns import ReadTurns
from tracker.api.reports import Reports
from tracker.api.request_head import RequestHead
from tracker.api.resources import read_whole
from tracker.domain.parsing import parse
from tracker.domain.principal import Right
from tracker.errors import Forbidden, InvalidJSON, Issue, ValidationFailed

if TYPE_CHECKING:
    from tracker.api.mcp_backend import McpStore
    from tracker.mcp.server import Answer

_HEADERS: Final = ("mcp-protocol-version", "mcp-method", "mcp-name")


class Mcp:
    """`/mcp`. Each tool asks for its own right."""

    rights = Rights(post=Right.SIGNED_IN)

    def __init__(
        self,
        store: McpStore,
        reports: Reports,
        authenticator: Authenticator,
        origins: Origins,
        turns: ReadTurns,
    ) -> None:
        self._store = store
        self._reports = reports
        self._authenticator = authenticator
        self._origins = origins
        self._turns = turns

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer one message. Raises Forbidden: a page of another site sends it."""
        head = RequestHead.of(req.scope)
        if not self._origins.admits(head):
            message = "Pages of this origin may not use this; allow it with --cors-origin."
            raise Forbidden(message, [Issue("Origin", "This is not an allowed origin")])
        answer = await self._answer(req, head, await read_whole(req))
        resp.status = answer.status
        if answer.content is not None:
            resp.data = orjson.dumps(answer.content)

    async def _answer(self, req: falcon.asgi.Request, head: RequestHead, body: bytes) -> Answer:
        # A start has no need of these: see `tracker.api.later`.
        from tracker.api.mcp_backend import McpBackend  # noqa: PLC0415
        from tracker.mcp.messages import PARSE_ERROR, RpcError  # noqa: PLC0415
        from tracker.mcp.server import Answer, McpServer  # noqa: PLC0415

        try:
            message = parse(body)
        except (InvalidJSON, ValidationFailed) as error:
            wrong = RpcError(PARSE_ERROR, error.message, status=400)
            return Answer(wrong.status, wrong.response(None))
        principal = principal_of(req)

        async def demand(right: Right) -> None:
            self._authenticator.demand(principal, head, right)
            if right is Right.READ:
                await self._turns.begin(req)

        note = partial(self._authenticator.note_other_project, principal, head)
        backend = McpBackend(self._store, self._reports, principal, demand, note)
        headers = {name: head.get(name.encode()) or "" for name in _HEADERS}
        return await McpServer(backend).answer(message, headers)
