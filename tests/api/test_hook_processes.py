"""The server sees that an agent's process is gone, and that one at work is not silent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.api.test_hooks import events, heard, send, session, task
from tests.support.server import Server, wait_for
from tracker.agents.processes import LocalProcesses

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

TOOL = {"tool_name": "Bash", "tool_input": {"command": "make"}, "tool_use_id": "t"}


class Agent:
    """A process that does nothing."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "600"])
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        started = stat.rpartition(")")[2].split()[19]
        local = LocalProcesses()
        self.context: dict[str, Any] = {
            "boot_id": local.boot_id,
            "pid_namespace": local.pid_namespace,
            "pid": self.process.pid,
            "started": started,
        }

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    agent.end()


def seen(server: Server) -> set[str]:
    """The sessions whose process the server has seen alive."""
    path = str(server.database)
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as database:
        rows = database.execute("SELECT session FROM hook_sessions WHERE seen")
        return {name for (name,) in rows}


def test_tasks_of_a_process_that_is_gone_end(server: Server, agent: Agent) -> None:
    elsewhere = [
        {**agent.context, "boot_id": "another machine's"},
        {**agent.context, "pid_namespace": "another container's"},
        {**agent.context, "started": "1"},  # the number of a process before
        {},
    ]
    for number, context in enumerate(elsewhere):
        name = f"elsewhere-{number}"
        told = {"session_id": name, "prompt_id": "p", "prompt": "x", "context": context}
        heard(send(server, "UserPromptSubmit", **told))
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x", context=agent.context))
    child = {"agent_id": "a1", "agent_type": "Explore", "prompt_id": "p"}
    heard(send(server, "SubagentStart", context=agent.context, **child))
    wait_for(lambda: seen(server) == {"s"}, 20)
    agent.end()
    wait_for(lambda: task(server, "s/p")["status"] == "failed", 20)
    for ended in (task(server, "s/p"), task(server, "s/a1")):
        assert (ended["status"], ended["error_type"]) == ("failed", "ProcessEnded")
    for number in range(len(elsewhere)):
        assert task(server, f"elsewhere-{number}/p")["status"] == "running"
    states = {
        one["session"]: one["state"] for one in server.http.get("/api/sessions").json()["sessions"]
    }
    assert states["s"] == "ended"
    assert states["elsewhere-0"] == "working"


def test_one_that_dies_at_once_was_seen_too(server: Server, agent: Agent) -> None:
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x", context=agent.context))
    agent.end()
    wait_for(lambda: task(server, "s/p")["error_type"] == "ProcessEnded", 20)


def test_it_is_noticed_after_a_restart(start_server: Callable[..., Server], agent: Agent) -> None:
    server = start_server()
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x", context=agent.context))
    wait_for(lambda: seen(server) == {"s"}, 20)
    server.stop()
    agent.end()
    server = start_server(db=str(server.database))
    wait_for(lambda: task(server, "s/p")["error_type"] == "ProcessEnded", 20)


def test_one_that_is_resumed_by_another_process_goes_on(server: Server, agent: Agent) -> None:
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x", context=agent.context))
    wait_for(lambda: seen(server) == {"s"}, 20)
    other = Agent()
    try:
        heard(send(server, "SessionStart", source="resume", context=other.context))
        agent.end()
        heard(send(server, "UserPromptSubmit", prompt_id="q", prompt="y", context=other.context))
        wait_for(lambda: seen(server) == {"s"}, 20)
        assert task(server, "s/q")["status"] == "running"
        assert session(server)["state"] == "working"
    finally:
        other.end()


def test_a_task_with_an_open_tool_call_is_not_silent(
    start_server: Callable[..., Server], agent: Agent
) -> None:
    server = start_server("--stale-after", "1")
    told = {"context": agent.context, "prompt_id": "p"}
    heard(send(server, "UserPromptSubmit", prompt="x", **told))
    heard(send(server, "PreToolUse", **told, **TOOL))
    # Another one, which says as little, shows when both would have been told of.
    heard(send(server, "UserPromptSubmit", session_id="other", prompt="x", prompt_id="p"))
    wait_for(lambda: events(server)[-1]["type"] == "task_silent", 20)
    assert events(server)[-1]["data"]["task_id"] == "other/p"
    assert task(server, "s/p")["silent_since"] is None
    heard(send(server, "PostToolUse", **told, **TOOL))
    wait_for(lambda: task(server, "s/p")["silent_since"] is not None, 20)
