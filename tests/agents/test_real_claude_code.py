"""Claude Code itself, plugged in: what it does is shown as it happened."""

from __future__ import annotations

import pytest

from tests.agents.conftest import MakeAgent
from tests.support.platforms import needs_posix
from tests.support.real_agents.agents import ClaudeCode
from tests.support.real_agents.plugging import connect
from tests.support.real_agents.shown import (
    Shown,
    messages,
    sessions,
    tasks,
    wait_until_shown,
)
from tests.support.real_agents.turns import Fail, Hold, Text, Tool
from tests.support.server import Server

pytestmark = [pytest.mark.agents, needs_posix]

AGENT = "claude-code"
RUN = Tool("Bash", {"command": "python3 main.py", "description": "Run the program"})
BREAK = Tool("Bash", {"command": "exit 3", "description": "Break it"})
HELPER = Tool(
    "Agent",
    {"description": "Look around", "prompt": "Search the house", "subagent_type": "Explore"},
)
SCRIPT = {
    "Run it": [RUN, Text("It prints hello.")],
    "Break it": [BREAK, Text("It broke.")],
    "Ask someone": [HELPER, Text("Someone looks.")],
    "Search the house": [Tool("Bash", {"command": "ls", "description": "List"}), Text("main.py")],
    "<task-notification>": [Text("Someone found main.py.")],
    "Try again": [Fail(529, "overloaded_error", "Overloaded")],
    "Think long": [Hold()],
    "Go on": [Text("It went on.")],
}


def test_without_a_terminal(server: Server, make_agent: MakeAgent) -> None:
    claude = make_agent(ClaudeCode, SCRIPT)
    connect(claude, server)
    assert claude.run("Run it").output.strip() == "It prints hello."
    assert claude.run("Go on", "--continue").output.strip() == "It went on."
    assert claude.run("Break it").output.strip() == "It broke."
    assert "Someone found main.py." in claude.run("Ask someone").output
    assert claude.run("Try again").code == 1
    claude.interrupted("Think long")

    def ended(why: str) -> list[Shown]:
        return [
            Shown("Run it", "completed", AGENT, None, "It prints hello."),
            Shown("Go on", "completed", AGENT, None, "It went on."),
            Shown("Break it", "completed", AGENT, None, "It broke."),
            # Once by itself, and again when it was told that the other is done.
            Shown("Ask someone", "completed", AGENT, None, "Someone found main.py."),
            Shown("Look around", "completed", f"{AGENT}/Explore", "Ask someone", "main.py"),
            Shown("Try again", "failed", AGENT, None, why),
            Shown("Think long", "failed", AGENT, None, "Interrupted"),
        ]

    # Its hook of StopFailure may be ended with it, before it has told anything.
    wait_until_shown(server, ended("server_error"), ended("Interrupted"))
    assert messages(server, "Run it")[0] == "Bash: python3 main.py"
    assert messages(server, "Break it")[0] == "Bash: exit 3"
    of = [session["tasks"]["total"] for session in sessions(server)]
    assert of == [2, 1, 2, 1, 1]
    assert {session["state"] for session in sessions(server)} == {"ended"}


def test_on_a_terminal(server: Server, make_agent: MakeAgent) -> None:
    claude = make_agent(ClaudeCode, SCRIPT)
    connect(claude, server)
    with claude.on_terminal() as terminal:
        terminal.wait_for_text("for shortcuts")
        terminal.wait_for_quiet()
        terminal.say("Run it")

        def asks() -> bool:
            return any(task["requests"] for task in tasks(server))

        terminal.wait_for(asks, "a request")
        (task,) = tasks(server)
        assert task["attention"] == "Allow Bash: python3 main.py?"
        assert [session["state"] for session in sessions(server)] == ["waiting"]
        terminal.wait_for_quiet()
        terminal.press("\r")
        done = Shown("Run it", "completed", AGENT, None, "It prints hello.")
        wait_until_shown(server, [done])
        (task,) = tasks(server)
        assert task["requests"] == []
        assert [session["state"] for session in sessions(server)] == ["your_turn"]

        terminal.say("Try again")
        failed = Shown("Try again", "failed", AGENT, None, "server_error")
        wait_until_shown(server, [done, failed])

        terminal.say("Think long")
        claude.model.wait_until_held()
        terminal.press_until_shown("\x1b", "❯\xa0Think long")  # to be edited
        terminal.say("\x15Go on")  # in its place
        interrupted = Shown("Think long", "failed", AGENT, None, "Interrupted")
        on = Shown("Go on", "completed", AGENT, None, "It went on.")
        wait_until_shown(server, [done, failed, interrupted, on])

        terminal.say("/exit")
        assert terminal.wait() == 0
    wait_until_shown(server, [done, failed, interrupted, on])
    assert [session["state"] for session in sessions(server)] == ["ended"]
