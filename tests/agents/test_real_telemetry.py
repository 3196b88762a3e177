"""Agents themselves, plugged in: what their mock models say was used is what is counted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agents.conftest import MakeAgent
from tests.support.platforms import needs_posix
from tests.support.real_agents import anthropic, openai
from tests.support.real_agents.agents import ClaudeCode, Codex
from tests.support.real_agents.plugging import connect
from tests.support.real_agents.shown import tasks
from tests.support.real_agents.turns import Text, Tool
from tests.support.server import Server, wait_for

pytestmark = [pytest.mark.agents, needs_posix]

SCRIPT = {
    "Run it": [Tool("Bash", {"command": "ls", "description": "List"}), Text("Done.")],
    "Again": [Text("Done again.")],
}
CODEX_SCRIPT = {
    "Run it": [Tool("exec_command", {"cmd": "ls"}), Text("Done.")],
    "Again": [Text("Done again.")],
}
FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def used(server: Server) -> dict[str, Any]:
    """What each task has used, by its title."""
    return {task["title"]: task["usage"] for task in tasks(server)}


def test_claude_code(server: Server, make_agent: MakeAgent) -> None:
    claude = make_agent(ClaudeCode, SCRIPT)
    connect(claude, server)
    assert claude.run("Run it").errors == ""
    assert claude.run("Again", "--continue").errors == ""
    wait_for(lambda: len(used(server)) == 2 and all(used(server).values()), 30, "the usage")
    one = {**anthropic.USAGE, **anthropic.CACHE}
    told = (
        *(one["input_tokens"], one["output_tokens"]),
        *(one["cache_read_input_tokens"], one["cache_creation_input_tokens"]),
    )
    for title, calls in (("Run it", 2), ("Again", 1)):
        usage = used(server)[title]
        assert [usage[name] for name in FIELDS] == [calls * amount for amount in told], title
        assert usage["cost_usd"] > 0
        assert {model["source"] for model in usage["models"]} == {"otlp"}


def test_codex(server: Server, make_agent: MakeAgent) -> None:
    codex = make_agent(Codex, CODEX_SCRIPT)
    connect(codex, server)
    for prompt in ("Run it", "Again"):
        codex.run(prompt)
    wait_for(lambda: len(used(server)) == 2 and all(used(server).values()), 30, "the usage")
    cached = openai.USAGE["input_tokens_details"]["cached_tokens"]
    told = (openai.USAGE["input_tokens"] - cached, openai.USAGE["output_tokens"], cached, 0)
    for title, calls in (("Run it", 2), ("Again", 1)):
        usage = used(server)[title]
        assert [usage[name] for name in FIELDS] == [calls * amount for amount in told], title
    # Of logs alone.
    agents = server.http.get("/api/agents").json()["agents"]
    assert {one["agent"] for one in agents} == {"codex", "otlp"}


@pytest.mark.parametrize(("kind", "script"), [(ClaudeCode, SCRIPT), (Codex, CODEX_SCRIPT)])
def test_a_server_that_is_stopped_is_not_noticed(
    server: Server, make_agent: MakeAgent, kind: Any, script: Any
) -> None:
    agent = make_agent(kind, script)
    alone = agent.run("Run it")
    connect(agent, server)
    server.stop()
    done = agent.run("Run it")
    assert (done.code, done.output) == (alone.code, alone.output)
    said = done.errors.lower()
    assert not [word for word in ("otel", "telemetry", "otlp", "export") if word in said]
