"""`tracker hook AGENT --telemetry`: gives an exporter the key, and nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hooks import KEY, Home, HookServer

OTHER = KEY[:-7] + "X" + KEY[-6:]


def headers(home: Home, *, agent: str = "claude-code") -> object:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "agent_task_tracker", "hook", agent, "--telemetry"],
        cwd=home.folder,
        env=home.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_server_that_has_the_key_gets_it(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        assert headers(home) == {"X-API-Key": KEY}
        assert headers(home, agent="codex") == {}  # which is not connected


def test_who_cannot_prove_it_does_not(home: Home) -> None:
    with HookServer(key=OTHER) as server:
        home.connect(server.url)
        assert headers(home) == {}
    assert headers(home) == {}  # nobody is there


def test_a_damaged_file_is_not_noticed(home: Home) -> None:
    assert headers(home) == {}
    home.connections.parent.mkdir()
    home.connections.write_text("{", encoding="utf-8")
    assert headers(home) == {}
