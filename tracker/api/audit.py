"""`/api/audit`: who did what."""

from __future__ import annotations

from contextlib import suppress

import falcon.asgi

from tracker.api.key_schemas import AuditQuery
from tracker.api.middleware.auth import Rights
from tracker.api.resources import read_query, send_json
from tracker.auth.audit import Audit as AuditNotes
from tracker.domain import key_answers
from tracker.domain.ports import AuditLog
from tracker.domain.principal import Right
from tracker.errors import Unavailable


class Audit:
    """`/api/audit`."""

    rights = Rights(get=Right.ADMIN)

    def __init__(self, store: AuditLog, notes: AuditNotes) -> None:
        """`notes`: what is still to be stored."""
        self._store = store
        self._notes = notes

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The newest entries, or those before one."""
        query = read_query(req, AuditQuery)
        with suppress(Unavailable):  # what can be read is shown
            await self._notes.save()
        send_json(req, resp, key_answers.audit(await self._store.audit(query.to_query())))
