"""`ls`, `show` and `stats` for people at a terminal, and for programs that start tasks again."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.support.cli import Terminal, json_lines, run
from tests.support.platforms import needs_posix
from tests.support.server import Server

LONG = "7f3c9a52-11ce-4c1e-9f0e-5a2b7a3c1d00/prompt-12"
USAGE = [
    {"model": "large", "input_tokens": 12345, "cost_usd": 0.5},
    {"model": "small", "output_tokens": 7, "cost_usd": 0.25},
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A task that runs and one that failed, of long names."""
    server = Server.start(tmp_path_factory.mktemp("told"))
    title = {"task": "Fix \x1b[31mthe\x1b[0m build"}
    server.report("start", "org/repository", LONG, **title, usage=USAGE)
    server.report("status", "org/repository", LONG, **title, message="words " * 60)
    server.report("start", "other", "bad", task="Deploy", metadata={"big": "x" * 200_000})
    server.report("error", "other", "bad", task="Deploy")
    yield server
    assert server.stop() == 0


def shown(server: Server, home: Path, *arguments: str, columns: int) -> list[str]:
    """Lines on a terminal, without colours."""
    one = Terminal(*arguments, home=home, server=server, columns=columns)
    try:
        output = one.read_all()
    finally:
        one.close()
    assert one.process.returncode == 0, output
    assert "\x1b[31mthe" not in output
    return re.sub(r"\x1b\[[\d;]*m", "", output).splitlines()


@needs_posix
@pytest.mark.parametrize("columns", [40, 80])
def test_lists_fit_the_terminal(told: Server, tmp_path: Path, columns: int) -> None:
    for arguments in (("ls",), ("ls", "--tasks"), ("show", "org/repository", LONG), ("stats",)):
        lines = shown(told, tmp_path, *arguments, columns=columns)
        assert max(map(cell_len, lines)) <= columns, lines
    running = shown(told, tmp_path, "ls", columns=columns)
    assert "running" in running[1].split()
    assert r"Fix \x1b[31m" in running[1]
    projects = next(n for n, line in enumerate(running) if line.startswith("PROJECT   ") and n)
    assert [line.split()[0] for line in running[projects + 1 :]] == ["org/repository", "other"]


@needs_posix
def test_show_wraps_and_tells_of_usage(told: Server, tmp_path: Path) -> None:
    text = " ".join(shown(told, tmp_path, "show", "org/repository", LONG, columns=60))
    words = " ".join(text.split())
    assert words.count("words") >= 120  # of the message, and of its event
    assert "12,345 tokens in, 7 out; $0.75" in words
    assert "large: 12,345 tokens in; $0.50" in words
    stats = run("stats", home=tmp_path, server=told).stdout.decode()
    assert "$0.75" in stats
    assert "small" in stats


def test_failed_tasks_can_be_started_again(told: Server, tmp_path: Path) -> None:
    done = run("ls", "--status", "failed", "--json", home=tmp_path, server=told)
    (task,) = json_lines(done.stdout)
    assert (task["project"], task["task_id"], task["title"]) == ("other", "bad", "Deploy")
    assert (task["agent"], task["metadata"]) == ("agent-1", {"big": "x" * 200_000})
    of_one = run("ls", "other", "--json", home=tmp_path, server=told)
    assert json_lines(of_one.stdout)[0]["project"] == "other"


@needs_posix
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_watch_keeps_up_and_gives_the_terminal_back(
    told: Server, tmp_path: Path, stop: int, code: int
) -> None:
    project = f"watched-{code}"
    told.report("start", project, "first", task="The first")
    one = Terminal("ls", project, "--watch", home=tmp_path, server=told)
    try:
        one.read_until("The first")
        told.report("start", project, "second", task="The second")
        one.read_until("The second")
        one.process.send_signal(stop)
        assert one.read_all().endswith("\x1b[?25h\x1b[?1049l")
        assert one.process.returncode == code
    finally:
        one.close()


def test_watch_is_for_a_terminal(told: Server, tmp_path: Path) -> None:
    piped = run("ls", "--watch", home=tmp_path, server=told)
    assert (piped.returncode, piped.stdout) == (2, b"")
