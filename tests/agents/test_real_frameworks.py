"""Agents that are built with a framework, driven against a mock model: with nothing but the usual
exporter they show up, and what the model says was used is what is counted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.api.test_traces import shown
from tests.support.platforms import needs_posix
from tests.support.real_agents.chat import ANSWER, CACHED, INPUT, OUTPUT, ChatModel
from tests.support.real_agents.programs import frameworks_python
from tests.support.server import KEY, Server

pytestmark = [pytest.mark.agents, needs_posix]

SCRIPTS = Path(__file__).parents[1] / "support" / "real_agents" / "frameworks"

# The agents of each, with those that have started them.
AGENTS = {
    "pydantic_ai": {"planner": None, "helper": "planner"},
    "openai_agents": {"Agent workflow": None, "planner": "Agent workflow"},
    "langgraph": {"planner": None},
    "smolagents": {"planner": None},
}


@pytest.mark.parametrize("framework", AGENTS)
def test_a_framework(server: Server, tmp_path: Path, framework: str) -> None:
    python = frameworks_python()
    if python is None:
        pytest.skip("the frameworks are not installed: TRACKER_INSTALL_AGENTS=1")
    with ChatModel() as model:
        done = run(python, framework, tmp_path, model.url, server.url)
        assert done.returncode == 0, done.stderr
        assert ANSWER in done.stdout
        calls = model.calls
    tasks = shown(server, "weather")
    names = {id_: task["agent"] for id_, task in tasks.items()}
    parents = {task["agent"]: names.get(task["parent_task_id"]) for task in tasks.values()}
    assert parents == AGENTS[framework]
    assert "What is the weather?" in {task["title"] for task in tasks.values()}
    ended = {(task["status"], task["result"]) for task in tasks.values()}
    assert ended == {("completed", ANSWER)}
    told = [task["used"] for task in tasks.values() if task["used"]]
    # smolagents' instrumentation does not say what the cache had.
    cached = 0 if framework == "smolagents" else CACHED
    assert [sum(amounts) for amounts in zip(*told, strict=True)] == [
        *(calls * (INPUT - cached), calls * OUTPUT, calls * cached),
    ]


def test_a_tracker_that_is_away_changes_nothing(server: Server, tmp_path: Path) -> None:
    """The exporter is the same for all."""
    python = frameworks_python()
    if python is None:
        pytest.skip("the frameworks are not installed: TRACKER_INSTALL_AGENTS=1")
    server.stop()
    with ChatModel() as model:
        done = run(python, "pydantic_ai", tmp_path, model.url, server.url)
    assert done.returncode == 0, done.stderr
    assert ANSWER in done.stdout


def run(
    python: Path, framework: str, home: Path, model: str, tracker: str
) -> subprocess.CompletedProcess[str]:
    variables = {
        **{"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1"},
        **{
            "OPENAI_BASE_URL": model,
            "OPENAI_API_KEY": "none",
            "OPENAI_AGENTS_DISABLE_TRACING": "0",
        },
        **{"OTEL_SERVICE_NAME": "weather", "OTEL_EXPORTER_OTLP_ENDPOINT": tracker},
        **{"OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY}", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"},
    }
    return subprocess.run(
        [python, SCRIPTS / f"run_{framework}.py"],
        check=False,
        env=variables,
        cwd=home,
        timeout=100,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
