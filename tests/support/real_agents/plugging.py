"""Plugs an agent into a server as its user does."""

from __future__ import annotations

from tests.support.cli import run
from tests.support.real_agents.driving import Agent
from tests.support.server import Server


def connect(agent: Agent, server: Server) -> None:
    """By the command, in the agent's home. What is under test lies where it may not stay."""
    done = run("connect", agent.name, "--anyway", home=agent.home, server=server)
    assert done.returncode == 0, done.stdout + done.stderr
