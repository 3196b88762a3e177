"""`POST /hooks/AGENT`: an agent's own payloads, as its hook sends them (docs/contract.md, "Agents
that are plugged in"); `GET /api/agents`: those that have sent any."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import falcon.asgi
import orjson

from tracker.agents.receiving import READERS, receive
from tracker.api import answers
from tracker.api.middleware.auth import Rights
from tracker.api.moments import parse_moment
from tracker.api.reply import Reply
from tracker.api.reports import check_idempotency_key
from tracker.api.request_head import RequestHead
from tracker.api.resources import send_json
from tracker.clock import iso
from tracker.domain.hooks import Heard, HookRequest
from tracker.domain.idempotency import LATE_LIFETIME_MS, Idempotency
from tracker.domain.parsing import parse_object
from tracker.domain.ports import HookStore
from tracker.domain.principal import Principal, Right
from tracker.errors import NotFound

_CONTEXT: Final = b"tracker-context"


class Hooks:
    """Hands payloads to the store."""

    agents: Sequence[str] = tuple(READERS)
    """Whose payloads can be read."""

    def __init__(self, store: HookStore) -> None:
        self._store = store

    def submit(self, agent: str, body: bytes, head: RequestHead, sender: Principal) -> PendingHook:
        """Start to record what a payload comes to. Raises InvalidJSON, ValidationFailed,
        Unavailable."""
        payload = receive(agent, parse_object(body), _context(head))
        key = head.get(b"idempotency-key")
        idempotency = None
        if key is not None:
            check_idempotency_key(key)
            of = hashlib.blake2b(body, digest_size=16, person=b"hook", salt=agent.encode())
            idempotency = Idempotency((sender.key_id, key), of.digest(), LATE_LIFETIME_MS)
        request = HookRequest(payload, sender.scope, idempotency)
        heard = self._store.hear(request, len(body))
        return PendingHook(agent, payload.session, (heard,))


class PendingHook(NamedTuple):
    """A payload that is being recorded; see `tracker.api.reports.Pending`."""

    agent: str
    session: str
    recorded: tuple[asyncio.Future[Heard]]

    @property
    def has_forbidden(self) -> bool:
        """Never yet: which project it is of is found out when it is recorded."""
        return False

    def reply(self) -> Reply:
        """The answer."""
        heard = self.recorded[0].result()
        content: dict[str, Any] = {
            "status": "recorded",
            "agent": self.agent,
            "session": self.session,
            "event_ids": [event.id for event in heard.events],
            "timestamp": iso(heard.at),
        }
        replayed = {"Idempotent-Replayed": "true"} if heard.was_known else {}
        return Reply(200, orjson.dumps(content), replayed)


class HookRoute:
    """Falcon's route, for other methods and for agents that are not known: all else is answered
    before it gets here."""

    rights = Rights(post=Right.REPORT)

    async def on_post(
        self, _req: falcon.asgi.Request, _resp: falcon.asgi.Response, agent: str
    ) -> None:
        """Raises NotFound."""
        raise NotFound(
            f"No payloads of {agent!r} can be read here: it is none of {', '.join(READERS)}, or "
            "this tracker is older than its hook."
        )


class PluggedIn:
    """`/api/agents`."""

    rights = Rights(get=Right.ADMIN)

    def __init__(self, store: HookStore) -> None:
        self._store = store

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The agents whose hooks have sent anything, by name."""
        lines = await self._store.plugged_in()
        found: list[answers.PluggedInAgent] = [
            {
                "agent": line.agent,
                "sessions": line.sessions,
                "payloads": line.payloads,
                "last_at": iso(line.last_at),
                "unknown": line.unknown,
            }
            for line in lines
        ]
        send_json(req, resp, {"agents": found})


def _context(head: RequestHead) -> dict[str, Any]:
    """What the hook has added. What cannot be read is left out: the payload tells more, and is kept
    all the same."""
    try:
        context = orjson.loads(head.get(_CONTEXT) or "{}")
    except ValueError:
        return {}
    if not isinstance(context, dict):
        return {}
    try:
        context["at"] = parse_moment(context.get("at"))
    except ValueError:
        context["at"] = None
    return context
