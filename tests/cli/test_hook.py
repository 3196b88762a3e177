"""`tracker hook`: what an agent notices of it, which is nothing, and what becomes of its events."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_spool_delivery import free_port
from tests.support.hooks import EVENT, KEY, Home, HookServer
from tests.support.platforms import needs_posix
from tests.support.server import wait_for

pytestmark = needs_posix

SILENT = (0, b"", b"")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.end()


def noticed(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    """What the agent sees."""
    return done.returncode, done.stdout, done.stderr


def test_an_event_is_sent_at_once_and_leaves_nothing(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        (got,) = server.got
    assert got.path == "/hooks/claude-code"
    assert got.body == EVENT
    assert got.headers["x-api-key"] == KEY
    assert got.headers["content-type"] == "application/json"
    assert got.context["version"] == 1
    assert got.context["cwd"] == str(home.folder)
    assert (got.context["pid"], home.waiting) == (os.getpid(), [])


def test_an_agent_that_is_not_connected_is_left_alone(home: Home) -> None:
    assert noticed(home.hook()) == SILENT
    home.connect("http://127.0.0.1:9", "codex")
    assert noticed(home.hook()) == SILENT
    assert not home.spool.exists()


@pytest.mark.parametrize("is_connected", [True, False])
def test_cline_gets_the_answer_that_it_demands(home: Home, *, is_connected: bool) -> None:
    if is_connected:
        home.connect(f"http://127.0.0.1:{free_port()}", "cline")
    done = home.hook({"hookName": "TaskStart", "taskId": "1"}, "cline")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"cancel": False}, b"")


def test_without_a_server_it_waits_and_is_delivered_when_there_is_one(home: Home) -> None:
    port = free_port()
    home.connect(f"http://127.0.0.1:{port}")
    for number in range(3):
        assert noticed(home.hook({**EVENT, "prompt": f"{number}"})) == SILENT
    assert [report["payload"]["prompt"] for report in home.waiting] == ["0", "1", "2"]
    assert len(home.senders) == 1
    with HookServer(port=port) as server:
        wait_for(lambda: not home.waiting, 30)
        assert [got.body["prompt"] for got in server.got] == ["0", "1", "2"]
    wait_for(lambda: not home.senders, what="the sender to end when all is sent")
