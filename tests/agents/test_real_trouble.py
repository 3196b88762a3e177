"""Agents whose tracker is in trouble do what they would do without it, and lose nothing."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.agents.conftest import MakeAgent
from tests.agents.test_real_claude_code import SCRIPT as CLAUDE_SCRIPT
from tests.agents.test_real_codex import SCRIPT as CODEX_SCRIPT
from tests.support.platforms import needs_posix
from tests.support.real_agents.agents import ClaudeCode, Codex
from tests.support.real_agents.driving import Agent, Done, end_group, finish
from tests.support.real_agents.plugging import connect
from tests.support.real_agents.shown import Shown, wait_until_shown
from tests.support.real_agents.turns import Script
from tests.support.server import Server, wait_for

pytestmark = [pytest.mark.agents, needs_posix]

AGENTS = pytest.mark.parametrize(
    ("kind", "script"),
    [
        pytest.param(ClaudeCode, CLAUDE_SCRIPT, id="claude-code"),
        pytest.param(Codex, CODEX_SCRIPT, id="codex"),
    ],
)


def seen(done: Done) -> tuple[int, str]:
    """What a user, or a script, has of a run."""
    return done.code, done.output


def restart(server: Server) -> Server:
    """Start a server again where it was, on the database that it left."""
    port = server.url.rpartition(":")[2]
    return Server.start(server.folder, "--port", port)


@AGENTS
def test_a_server_that_is_down_hangs_or_restarts(
    server: Server, make_agent: MakeAgent, kind: type[Agent], script: Script
) -> None:
    agent = make_agent(kind, script)
    without = agent.run("Run it")
    assert without.code == 0
    connect(agent, server)
    port = int(server.url.rpartition(":")[2])

    server.stop()
    assert seen(agent.run("Run it")) == seen(without)

    # Takes connections, and never says anything.
    with socket.create_server(("127.0.0.1", port)):
        assert seen(agent.run("Run it")) == seen(without)

    servers = [restart(server)]
    held = agent.start("Think long")
    try:
        agent.model.wait_until_held()
        ran = [_ran(kind), _ran(kind)]
        wait_until_shown(servers[0], [*ran, _thinks(kind, "running", None)])
        servers[0].stop()
        servers.append(restart(server))
        held.send_signal(signal.SIGINT)
        finish(held)
        wait_until_shown(servers[1], [*ran, _thinks(kind, "failed", "Interrupted")])
    finally:
        end_group(held)
        for started in servers:
            started.stop()


@AGENTS
def test_an_agent_that_is_killed_has_ended(
    server: Server, make_agent: MakeAgent, kind: type[Agent], script: Script
) -> None:
    agent = make_agent(kind, script)
    connect(agent, server)
    held = agent.start("Think long")
    try:
        agent.model.wait_until_held()
        wait_until_shown(server, [_thinks(kind, "running", None)])
        wait_for(lambda: _is_seen(server), 30, "the server has looked for the process")
    finally:
        end_group(held)
    wait_until_shown(server, [_thinks(kind, "failed", "ProcessEnded")])


def _is_seen(server: Server) -> bool:
    """Whether the server has itself seen the only agent's process: of others it ends nothing."""
    with closing(sqlite3.connect(server.database)) as database:
        return database.execute("SELECT seen FROM hook_sessions").fetchall() == [(1,)]


def _ran(kind: type[Agent]) -> Shown:
    return Shown("Run it", "completed", kind.name, None, "It prints hello.")


def _thinks(kind: type[Agent], status: str, ended_by: str | None) -> Shown:
    return Shown("Think long", status, kind.name, None, ended_by)


@AGENTS
def test_what_the_tracker_lost_is_not_missed(
    server: Server, make_agent: MakeAgent, kind: type[Agent], script: Script
) -> None:
    """Its connections are no JSON; then a file is in its spool's place."""
    agent = make_agent(kind, script)
    without = agent.run("Run it")
    connect(agent, server)
    connections = agent.home / ".config" / "agent-task-tracker" / "connections.json"
    kept = connections.read_bytes()
    connections.write_bytes(b"{")
    assert seen(agent.run("Run it")) == seen(without)
    connections.write_bytes(kept)
    spool = agent.home / ".local" / "state" / "agent-task-tracker" / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    _put_a_file(spool)
    assert seen(agent.run("Run it")) == seen(without)
    spool.unlink()
    assert seen(agent.run("Run it")) == seen(without)
    # A hook that cannot keep what it is told delivers it all the same, if the server is there.
    wait_until_shown(server, [_ran(kind), _ran(kind)])


def _put_a_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way", encoding="utf-8")
