"""What the API offers about agents that are plugged in; see `operations`."""

from __future__ import annotations

from typing import Final

from tracker.api import answers, hook_schemas
from tracker.api.openapi import examples
from tracker.api.openapi.operations import Operation, Response
from tracker.domain.principal import Right

HOOK_OPERATIONS: Final = (
    Operation(
        method="post",
        path="/hooks/{agent}",
        id="hear_agent",
        tag="Webhooks",
        summary="Send an agent's own payload",
        description="What the hooks of an agent that is plugged in send, as the agent gives it; "
        "the tracker makes tasks of it. `tracker connect` sets that up.",
        headers=("Idempotency-Key", "Tracker-Context"),
        body=hook_schemas.HookBody,
        example=examples.HOOK,
        answers={200: Response("Recorded.", answers.HookAnswer, examples.HEARD)},
        right=Right.REPORT,
    ),
    Operation(
        method="get",
        path="/api/agents",
        id="list_agents",
        tag="Projects and tasks",
        summary="List agents that are plugged in",
        description="Those whose hooks have sent anything, by name.",
        headers=("If-None-Match",),
        answers={200: Response("All of them.", answers.PluggedInAgents, examples.AGENTS)},
        conditional=True,
        right=Right.ADMIN,
    ),
)
