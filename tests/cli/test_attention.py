"""What the commands tell of tasks that somebody may have to see to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.cli import Terminal
from tests.support.cli import run as run_anywhere
from tests.support.platforms import needs_posix
from tests.support.server import Server, wait_for

Run = Callable[..., str]

ASKED = "Allow Bash: rm -rf build?"
HOSTILE = "\x1b[31mred\u202e\nline"
HARMLESS = r"\x1b[31mred\u202e\nline"


@pytest.fixture
def run(shared_server: Server, tmp_path: Path) -> Run:
    """What a command prints that speaks to the module's server."""
    call: Callable[..., CompletedProcess[bytes]] = partial(
        run_anywhere, home=tmp_path, server=shared_server
    )

    def said(*arguments: str) -> str:
        done = call(*arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    return said


def row(output: str, task_id: str) -> str:
    (line,) = [line for line in output.splitlines() if re.match(rf"{task_id}\s", line)]
    return re.sub(r"\s+", " ", line).strip()


def test_a_task_that_needs_a_person(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("start", project, "calm", task="Calm")
    assert "calm:" not in run("ls", project)
    belongs = {"session": "run-1", "parent_task_id": "calm"}
    shared_server.report("status", project, "t1", task="Asks", attention=ASKED, **belongs)
    more = {"attention": HOSTILE, "attention_id": "b", "message": "goes on"}
    shared_server.report("status", project, "t2", task="Other", attention=ASKED, attention_id="a")
    shared_server.report("status", project, "t2", task="Other", **more)

    listed = run("ls", project)
    assert row(listed, "t1").split()[1] == "waiting"
    assert row(listed, "t1:") == f"t1: {ASKED}"
    assert row(listed, "t2:") == f"t2: {ASKED} (and 1 more)"
    assert row(listed, "calm").split()[1] == "running"

    shown = run("show", project, "t1")
    assert re.search(r"^waiting 0%, attempt 1$", shown, re.MULTILINE)
    since = r"Needs you since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
    assert re.search(since + re.escape(ASKED), shown)
    assert re.search(r"^Session +run-1 *$", shown, re.MULTILINE)
    assert re.search(r"^Parent +calm *$", shown, re.MULTILINE)
    assert re.search(since + re.escape(HARMLESS), run("show", project, "t2"))

    *_, first, second = run("tail", "--project", project).splitlines()
    assert f"waiting  Other  0% needs you: {ASKED}" in first
    assert f"waiting  Other  0% needs you: {HARMLESS}; goes on" in second

    shared_server.report("finish", project, "t2", task="Other", result="done")
    assert "completed  Other  done" in run("tail", "--project", project, "-n", "1")
    assert "t2:" not in run("ls", project)


def test_silent_overdue_and_blocked(shared_server: Server, run: Run, project: str) -> None:
    estimate = {"metadata": {"estimated_duration": 0.001}, "stale_after_seconds": 0.05}
    shared_server.report("start", project, "t1", task="Slow", **estimate)
    needs = {"metadata": {"dependencies": ["t1", HOSTILE, 3]}}
    shared_server.report("status", project, "t2", task="Next", status="pending", **needs)
    wait_for(lambda: shared_server.task(project, "t1")["silent_since"], what="silence")
    listed = run("ls", project)
    assert row(listed, "t1").split()[1] == "silent"
    assert re.fullmatch(r"t1: not heard of since [-: \d]+; overdue", row(listed, "t1:"))
    assert row(listed, "t2:") == "t2: blocked"
    shown = run("show", project, "t1")
    assert re.search(r"^Not heard of since [-: \d]+\nOverdue: ", shown, re.MULTILINE)
    assert f"Blocked: it depends on t1, {HARMLESS}, 3, and" in run("show", project, "t2")
    (event,) = run("tail", "--project", project, "-n", "1").splitlines()
    assert re.search(r"/t1  silent  Slow  not heard of since [-: \d]+$", event)


@needs_posix
def test_it_stands_out_on_a_terminal(
    shared_server: Server, terminal: Callable[..., Terminal], project: str
) -> None:
    shared_server.report("status", project, attention=ASKED, task="Asks")
    assert "\x1b[1;35mwaiting\x1b[0m" in terminal("ls", project).read_all()
    tail = terminal("tail", "-f", "--project", project)
    tail.read_until("Asks  needs you ")


@pytest.fixture
def terminal(shared_server: Server, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start a command on a terminal."""
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(*arguments, home=tmp_path, server=shared_server))
        return started[-1]

    yield start
    for one in started:
        one.close()
