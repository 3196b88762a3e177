"""What agents that are plugged in would have sent by now: for the picture of them in the README."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from tests.support.server import Server

SHOP = {"session_id": "7d1f", "cwd": "/home/you/shop"}
DOCS = {"session_id": "c0de", "cwd": "/home/you/docs"}
EXPLORE = {"agent_id": "a1", "agent_type": "Explore"}
WRITER = {"agent_id": "a2", "agent_type": "test-writer"}
FIRST, SECOND = {"prompt_id": "p1"}, {"prompt_id": "p2"}


def tool(name: str, **given: str) -> dict[str, Any]:
    return {"tool_name": name, "tool_input": given, "tool_use_id": f"{name}{len(str(given))}"}


def agents_at_work(server: Server) -> None:
    """One waits for its user, with two sub-agents at work; one's turn has ended."""
    now = time.time()

    def send(ago: float, event: str, *told: dict[str, Any], agent: str = "claude-code") -> None:
        host = "laptop" if agent == "claude-code" else "build-box"
        at = datetime.fromtimestamp(now - ago, UTC).isoformat()
        payload = {"hook_event_name": event}
        for part in told:
            payload |= part
        server.http.post(
            f"/hooks/{agent}",
            json=payload,
            headers={"Tracker-Context": json.dumps({"at": at, "host": host, "branch": "main"})},
        ).raise_for_status()

    send(900, "SessionStart", SHOP, {"model": "opus"})
    send(880, "UserPromptSubmit", SHOP, FIRST, {"prompt": "Find out why checkout is slow"})
    send(870, "PreToolUse", SHOP, FIRST, tool("Bash", command="pytest -q tests/checkout"))
    found = "The tax lookup runs once per line item; a join mends it."
    send(700, "Stop", SHOP, FIRST, {"last_assistant_message": found})
    send(400, "UserPromptSubmit", SHOP, SECOND, {"prompt": "Mend it, and look for others"})
    for ago, child, title in (
        (380, EXPLORE, "Look for the same query elsewhere"),
        (370, WRITER, "Write tests for the tax lookup"),
    ):
        call = tool("Agent", subagent_type=child["agent_type"], description=title)
        send(ago + 1, "PreToolUse", SHOP, SECOND, call)
        send(ago, "SubagentStart", SHOP, SECOND, child)
    send(90, "PreToolUse", SHOP, SECOND, EXPLORE, tool("Grep", pattern="tax_rate("))
    test = tool("Write", file_path="/home/you/shop/tests/test_tax.py")
    send(80, "PreToolUse", SHOP, SECOND, WRITER, test)
    upgrade = tool("Bash", command="alembic upgrade head")
    send(65, "PreToolUse", SHOP, SECOND, upgrade)
    send(65, "PermissionRequest", SHOP, SECOND, upgrade)
    turn = {"turn_id": "1"}
    send(300, "UserPromptSubmit", DOCS, turn, {"prompt": "Translate the changelog"}, agent="codex")
    send(200, "Stop", DOCS, turn, {"last_assistant_message": "Done"}, agent="codex")
