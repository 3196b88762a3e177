"""Codex itself, plugged in: what it does is shown as it happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.agents.conftest import MakeAgent
from tests.support.platforms import needs_posix
from tests.support.real_agents.agents import Codex
from tests.support.real_agents.plugging import connect
from tests.support.real_agents.shown import Shown, messages, sessions, tasks, wait_until_shown
from tests.support.real_agents.turns import Fail, Hold, Text, Tool
from tests.support.server import Server

pytestmark = [pytest.mark.agents, needs_posix]


def started_agent(request: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for the agent that the conversation says was started."""
    outputs = [item for item in request["input"] if item["type"] == "function_call_output"]
    return {"targets": [json.loads(outputs[-1]["output"])["agent_id"]], "timeout_ms": 30_000}


SCRIPT = {
    "Run it": [Tool("exec_command", {"cmd": "python3 main.py"}), Text("It prints hello.")],
    "Ask to run": [
        Tool(
            "exec_command",
            {
                "cmd": "python3 main.py",
                "sandbox_permissions": "require_escalated",
                "justification": "It has to run",
            },
        ),
        Text("It was allowed."),
    ],
    "Ask someone": [
        Tool("multi_agent_v1.spawn_agent", {"message": "Search the house"}),
        Tool("multi_agent_v1.wait_agent", started_agent),
        Text("Someone found it."),
    ],
    "Search the house": [Tool("exec_command", {"cmd": "ls"}), Text("Found main.py.")],
    "Try again": [Fail(500)],
    "Think long": [Hold()],
    "Go on": [Text("It went on.")],
}


def test_without_a_terminal(server: Server, make_agent: MakeAgent) -> None:
    codex = make_agent(Codex, SCRIPT)
    connect(codex, server)
    assert codex.run("Run it").output.strip() == "It prints hello."
    assert codex.run("Go on", "resume", "--last").output.strip() == "It went on."
    assert codex.run("Ask someone").output.strip() == "Someone found it."
    assert codex.run("Try again").code == 1
    assert codex.interrupted("Think long").code == 1
    wait_until_shown(
        server,
        [
            Shown("Run it", "completed", "codex", None, "It prints hello."),
            Shown("Go on", "completed", "codex", None, "It went on."),
            Shown("Ask someone", "completed", "codex", None, "Someone found it."),
            Shown(
                "Search the house", "completed", "codex/default", "Ask someone", "Found main.py."
            ),
            Shown("Try again", "failed", "codex", None, "Interrupted"),  # it has no event for it
            Shown("Think long", "failed", "codex", None, "Interrupted"),
        ],
    )
    assert messages(server, "Run it")[0] == "Bash: python3 main.py"
    assert [session["tasks"]["total"] for session in sessions(server)] == [2, 2, 1, 1]
    assert {session["state"] for session in sessions(server)} == {"ended"}


def test_on_a_terminal(server: Server, make_agent: MakeAgent) -> None:
    codex = make_agent(Codex, SCRIPT)
    connect(codex, server)
    with codex.on_terminal() as terminal:
        terminal.wait_for_text("›")
        terminal.wait_for_quiet(1)
        terminal.say("Ask to run")

        def asks() -> bool:
            return any(task["requests"] for task in tasks(server))

        terminal.wait_for(asks, "a request")
        (task,) = tasks(server)
        assert task["attention"] == "Allow Bash: python3 main.py?"
        assert [session["state"] for session in sessions(server)] == ["waiting"]
        terminal.wait_for_quiet()
        terminal.press("\r")
        done = Shown("Ask to run", "completed", "codex", None, "It was allowed.")
        wait_until_shown(server, [done])
        (task,) = tasks(server)
        assert task["requests"] == []
        assert [session["state"] for session in sessions(server)] == ["your_turn"]

        terminal.say("Think long")
        codex.model.wait_until_held()
        terminal.press_until_shown("\x1b", "interrupted")
        interrupted = Shown("Think long", "failed", "codex", None, "Interrupted")
        wait_until_shown(server, [done, interrupted])

        terminal.say("Go on")
        on = Shown("Go on", "completed", "codex", None, "It went on.")
        wait_until_shown(server, [done, interrupted, on])
        terminal.say("/quit")
        assert terminal.wait() == 0
    wait_until_shown(server, [done, interrupted, on])
    assert [session["state"] for session in sessions(server)] == ["ended"]
