"""The plugin that connecting opencode writes: it tells what says something, in order, and opencode
never waits for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.platforms import needs_posix
from tests.support.server import wait_for
from tracker.agents.connect.base import HookCommand
from tracker.agents.connect.editors import Ownership
from tracker.agents.connect.opencode import OpenCode

NODE = shutil.which("node")

pytestmark = [needs_posix, pytest.mark.skipif(NODE is None, reason="there is no Node")]

SESSION = {"id": "ses_1", "title": "T", "cost": 0}
EVENTS = [
    ("session.created", {"info": SESSION}),
    ("session.updated", {"info": SESSION}),
    ("session.updated", {"info": {**SESSION, "time": 2}}),  # nothing new
    ("session.updated", {"info": {**SESSION, "cost": 1}}),
    ("message.part.delta", {"delta": "x"}),
    ("message.part.updated", {"part": {"type": "text"}}),
    ("message.part.updated", {"part": {"type": "text", "time": {"start": 1, "end": 2}}}),
    ("message.part.updated", {"part": {"type": "tool", "state": {"status": "error"}}}),
    ("message.updated", {"info": {"role": "assistant", "time": {}}}),
    ("message.updated", {"info": {"role": "assistant", "time": {"completed": 1}}}),
    ("file.watcher.updated", {}),
    ("session.idle", {"sessionID": "ses_1"}),
]
TOLD = [
    *("session.created", "session.updated", "session.updated", "message.part.updated"),
    *("message.part.updated", "message.updated", "session.idle", "tool.execute.before", "dispose"),
]
DRIVER = """
import { AgentTaskTracker } from "PLUGIN";
const plugin = await AgentTaskTracker({ directory: "/d", worktree: "/w" });
for (const [type, properties] of EVENTS) await plugin.event({ event: { type, properties } });
const input = { tool: "bash", sessionID: "ses_1", callID: "c" };
await plugin["tool.execute.before"](input, { args: { command: "ls" }, self: plugin });
const circular = {}; circular.circular = circular;
await plugin["tool.execute.after"](input, circular);
await plugin["permission.ask"];
await plugin.dispose();
process.exit(0);
"""

Drive = Callable[[str], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Runs the plugin with such a program in the place of ours."""

    def run(program: str) -> None:
        executable = tmp_path / "tracker with a space"
        executable.write_text(f"#!/bin/sh\n{program}\n")
        executable.chmod(0o700)
        command = HookCommand(executable, "opencode")
        plugin = tmp_path / "plugin.mjs"
        editor = OpenCode().editor(plugin, command, Ownership("opencode"))
        plugin.write_bytes(editor.add(None).content)
        driver = tmp_path / "driver.mjs"
        code = DRIVER.replace("PLUGIN", plugin.as_uri()).replace("EVENTS", json.dumps(EVENTS))
        driver.write_text(code)
        assert NODE is not None
        done = subprocess.run(
            [NODE, str(driver)], check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    return run


def write_to(log: Path) -> str:
    """Shell that appends a line of its input, whole, whoever else does."""
    return f"""printf '%s\\n' "$(cat)" >> "{log}\""""


def read(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def name_of(told: dict[str, Any]) -> str:
    return str(told["event"]["type"] if told["hook"] == "event" else told["hook"])


def test_what_says_something_in_order(drive: Drive, log: Path) -> None:
    drive(f'[ "$*" = "hook opencode" ] && {write_to(log)}; echo noise')
    wait_for(lambda: len(read(log)) >= len(TOLD), what="all that was told")
    told = read(log)
    assert [name_of(one) for one in told] == TOLD
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)
    assert {(one["directory"], one["worktree"]) for one in told} == {("/d", "/w")}
    (before,) = [one for one in told if one["hook"] == "tool.execute.before"]
    assert before["output"] == {"args": {"command": "ls"}}


def test_a_program_that_hangs_holds_nothing_up(drive: Drive, log: Path) -> None:
    pids = log.with_name("pids")
    try:
        drive(f'echo $$ >> "{pids}"; {write_to(log)}; exec sleep 600')  # it ends long before
        wait_for(lambda: len(read(log)) == len(TOLD), what="what was told as opencode ended")
        assert sorted(name_of(one) for one in read(log)) == sorted(TOLD)
    finally:
        for pid in pids.read_text().split():
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize("program", ["exit 1", "exec 0<&-; exit 2", "kill -9 $$"])
def test_a_program_that_fails_is_no_matter(drive: Drive, program: str) -> None:
    drive(program)
