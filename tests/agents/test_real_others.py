"""Gemini CLI and opencode themselves, plugged in: what they do is shown as it happened."""

from __future__ import annotations

import pytest

from tests.agents.conftest import MakeAgent
from tests.support.platforms import needs_posix
from tests.support.real_agents.agents import Gemini, Opencode
from tests.support.real_agents.plugging import connect
from tests.support.real_agents.shown import Shown, messages, sessions, wait_until_shown
from tests.support.real_agents.turns import Fail, Text, Tool
from tests.support.server import Server

pytestmark = [pytest.mark.agents, needs_posix]

COMMAND = {"command": "python3 main.py", "description": "Run the program"}


def test_gemini(server: Server, make_agent: MakeAgent) -> None:
    gemini = make_agent(
        Gemini,
        {
            "Run it": [Tool("run_shell_command", COMMAND), Text("It prints hello.")],
            "Try again": [Fail(400, "INVALID_ARGUMENT")],
        },
    )
    connect(gemini, server)
    assert gemini.run("Run it").output.strip() == "It prints hello."
    assert gemini.run("Try again").code == 1
    wait_until_shown(
        server,
        [
            Shown("Run it", "completed", "gemini-cli", None, "It prints hello."),
            Shown("Try again", "failed", "gemini-cli", None, "Interrupted"),  # no event for it
        ],
    )
    assert "python3 main.py" in messages(server, "Run it")[0]
    assert {session["state"] for session in sessions(server)} == {"ended"}


def test_opencode(server: Server, make_agent: MakeAgent) -> None:
    opencode = make_agent(
        Opencode,
        {
            "Ask someone": [
                Tool(
                    "task",
                    {
                        "description": "Look around",
                        "prompt": "Search the house",
                        "subagent_type": "general",
                    },
                ),
                Text("Someone found it."),
            ],
            "Search the house": [Tool("bash", COMMAND), Text("It prints hello.")],
        },
    )
    connect(opencode, server)
    assert "Someone found it." in opencode.run("Ask someone").output
    wait_until_shown(
        server,
        [
            # As `opencode run` quotes it.
            Shown('"Ask someone"', "completed", "opencode", None, "Someone found it."),
            Shown(
                "Look around",
                "completed",
                "opencode/general",
                '"Ask someone"',
                "It prints hello.",
            ),
        ],
    )
    assert "python3 main.py" in messages(server, "Look around")[0]
