"""An agent's event as the server takes it: `POST /hooks/AGENT`."""

from __future__ import annotations

import json

from agent_task_tracker.light_typing import Any, NamedTuple
from agent_task_tracker.report import HOOK, Report


class HookRequest(NamedTuple):
    """`context`: the value of the header Tracker-Context, in ASCII."""

    agent: str
    idempotency_key: str
    context: str
    body: bytes

    @classmethod
    def of(cls, content: bytes) -> HookRequest:
        """The request that a report's content stands for. Raises ValueError: it stands for none."""
        report = json.loads(content)
        agent, key, context = map(report.get, ("agent", "idempotency_key", "context"))
        if not (isinstance(agent, str) and isinstance(key, str) and isinstance(context, dict)):
            raise ValueError("agent, idempotency_key or context are missing")  # noqa: TRY004
        if not (is_agent(agent) and key.isascii() and key.isprintable()):
            raise ValueError("agent or idempotency_key are no names")
        return cls(agent, key, header(context), encode(report.get("payload")))

    @property
    def path(self) -> str:
        """Where it is sent to."""
        return f"/hooks/{self.agent}"

    @property
    def headers(self) -> dict[str, str]:
        """Those besides the key's and the body's."""
        return {"Idempotency-Key": self.idempotency_key, "Tracker-Context": self.context}

    def report(self, name: str, session: str) -> Report:
        """The same as a report of the spool. `session` keeps in order what belongs together."""
        words = {
            "kind": HOOK,
            "agent": self.agent,
            "project": self.agent,
            "task_id": session,
            "idempotency_key": self.idempotency_key,
        }
        parts = (encode(words)[:-1], self.context.encode(), self.body)
        return Report(name, self.agent, session, b'%s, "context": %s, "payload": %s}' % parts)


def is_agent(name: str) -> bool:
    """Whether an agent may be called so."""
    return name.isascii() and name.replace("-", "").isalnum()


def encode(value: object) -> bytes:
    """JSON, the same bytes whenever it is made of the same value: the server knows by them what it
    has had."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def header(context: dict[str, Any]) -> str:
    """A context as a header's value."""
    return json.dumps(context, separators=(",", ":"), allow_nan=False)


def is_recorded(body: bytes) -> bool:
    """Whether that is a server's answer with 200, and not a sign-in page's."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and isinstance(answer.get("event_ids"), list)
