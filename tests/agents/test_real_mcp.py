"""Agents themselves with `tracker mcp` as their MCP server."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.agents.conftest import MakeAgent
from tests.support.cli import run
from tests.support.platforms import needs_posix
from tests.support.real_agents.agents import ClaudeCode, Codex, Gemini, Opencode
from tests.support.real_agents.driving import Agent
from tests.support.real_agents.turns import Text, Tool
from tests.support.server import KEY, Server

pytestmark = [pytest.mark.agents, needs_posix]

NAMES = {"claude-code": "claude", "codex": "codex", "gemini-cli": "gemini", "opencode": "opencode"}
CONFIGURED = {
    "claude-code": ".claude.json",
    "codex": ".codex/config.toml",
    "gemini-cli": ".gemini/settings.json",
    "opencode": ".config/opencode/opencode.json",
}


def on_path(agent: Agent, folder: Path) -> dict[str, str]:
    """Variables by which its user starts it."""
    folder.mkdir()
    words = ["node", str(agent.program)] if agent.name == "gemini-cli" else [str(agent.program)]
    command = folder / NAMES[agent.name]
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    command.chmod(0o755)
    return {**agent.environment(), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("kind", [ClaudeCode, Codex, Gemini, Opencode])
def test_its_program_adds_it_and_takes_it_out(
    kind: type[Agent], make_agent: MakeAgent, tmp_path: Path
) -> None:
    agent = make_agent(kind, {})
    variables = on_path(agent, tmp_path / "bin")
    settings = agent.home / CONFIGURED[agent.name]
    for _ in range(2):
        done = run(
            *("connect", "--mcp", agent.name, "--anyway"), home=agent.home, variables=variables
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert settings.read_text().count("agent-task-tracker") == 1
    assert KEY not in settings.read_text()
    done = run("disconnect", "--mcp", agent.name, home=agent.home, variables=variables)
    if kind is Opencode:
        assert (done.returncode, b"by hand" in done.stderr) == (78, True)
    else:
        assert done.returncode == 0, done.stderr
        assert "agent-task-tracker" not in settings.read_text()


def test_claude_code_reports_by_it(server: Server, make_agent: MakeAgent, tmp_path: Path) -> None:
    class Claude(ClaudeCode):
        def variables(self) -> dict[str, str]:
            return {**super().variables(), "TRACKER_URL": server.url, "API_KEY": KEY}

    start = Tool("mcp__agent-task-tracker__start_task", {"title": "Told by MCP"})
    claude = make_agent(Claude, {"Report it": [start, Text("Reported.")]})
    variables = on_path(claude, tmp_path / "bin")
    done = run("connect", "--mcp", claude.name, "--anyway", home=claude.home, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert claude.run("Report it").output.strip() == "Reported."
    task = server.task("app", "Told by MCP")
    assert (task["agent"], task["status"]) == ("claude-code", "running")
