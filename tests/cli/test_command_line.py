"""What is typed wrongly, or interrupted, or asked for in another way."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import package_environment, run, run_here
from tests.support.markdown import Document
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, environment
from tracker.cli.command_table import EXIT_CODES
from tracker.cli.ls import ls


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lss"], "No such command 'lss'. Did you mean 'ls'?"),
        (["help", "shwo"], "No such command 'shwo'. Did you mean 'show'?"),
        (["ls", "--statu", "x"], "No such option '--statu'. Did you mean '--status'?"),
        (["--versoin"], "No such option '--versoin'. Did you mean '--version'?"),
        (["--ready-fil", "x"], "No such option '--ready-fil'. Did you mean '--ready-file'?"),
        (["key"], "Missing command: one of create, list, revoke, rotate."),
        (["key", "creat"], "No such command 'creat'. Did you mean 'create'?"),
        (["ls", "a\nb", "\x1b[31m"], r"Got unexpected extra argument (\x1b[31m)"),
    ],
)
def test_a_slip_is_a_line_with_what_may_be_meant_and_one_of_usage(
    tmp_path: Path, words: list[str], said: str
) -> None:
    done = run_here(*words, home=tmp_path)
    first, second = done.stderr.splitlines()
    assert (done.code, done.stdout, first) == (2, "", f"tracker: {said}")
    assert second.startswith("Usage: tracker ")
    assert "--help` says more" in second


@pytest.mark.parametrize("words", [["--port"], ["serve", "--port"], ["serve", "--port", "--db"]])
def test_an_option_without_its_value(tmp_path: Path, words: list[str]) -> None:
    """Rather than a server with the default."""
    done = run_here(*words, home=tmp_path, TRACKER_LOG_LEVEL="none")
    assert done.code == 2
    assert done.stderr.startswith("tracker: ")
    assert "'--port'" in done.stderr


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["-h"], ["--help"]),
        (["help"], ["--help"]),
        (["-V"], ["--version"]),
        (["help", "ls"], ["ls", "--help"]),
        (["ls", "-h"], ["ls", "--help"]),
        (["help", "key", "create"], ["key", "create", "--help"]),
        (["help", "run"], ["run", "--help"]),
    ],
)
def test_short_ways_to_ask(tmp_path: Path, words: list[str], same: list[str]) -> None:
    asked = run_here(*words, home=tmp_path)
    assert asked == run_here(*same, home=tmp_path)
    assert asked.code == 0
    assert asked.stdout


@pytest.mark.parametrize("command", ["hook", "run"])
def test_commands_that_start_by_themselves_have_help_too(tmp_path: Path, command: str) -> None:
    done = run(command, "-h", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, run("help", command, home=tmp_path).stdout)
    assert done.stdout.startswith(f"Usage: tracker {command}".encode())


def test_exit_codes_are_in_one_place_and_in_the_help(tmp_path: Path) -> None:
    _, _, table = Document("docs/cli.md").text.partition("## Exit codes")
    told = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    assert [int(code) for code in told] == list(EXIT_CODES)
    said = run_here("--help", home=tmp_path).stdout
    assert re.findall(r"^  (\d+) ", said, re.MULTILINE) == told


def test_a_fault_of_ours_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise LookupError("a\nb")

    monkeypatch.setattr(ls, "callback", fail)
    done = run_here("ls", home=tmp_path)
    assert (done.code, done.stdout) == (70, "")
    assert done.stderr.splitlines() == [
        r"tracker: LookupError: a\nb: this is a fault of the tracker; please report it, with what "
        "it prints when TRACKER_TRACEBACK=1 is set"
    ]
    with pytest.raises(LookupError):
        run_here("ls", home=tmp_path, TRACKER_TRACEBACK="1")


_PRESSED = """
import os, signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
from agent_task_tracker.__main__ import main
main()
"""


@needs_posix
@pytest.mark.parametrize(
    ("imported", "code", "said"),
    [
        ("tracker.cli", -signal.SIGINT, ""),  # 130 to a shell
        ("click", -signal.SIGINT, ""),
        ("tracker.cli.ls", 130, "\nStopped.\n"),
    ],
)
def test_ctrl_c_while_it_starts_is_no_traceback(
    tmp_path: Path, imported: str, code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PRESSED, "ls", imported],
        check=False,
        cwd=tmp_path,
        env=package_environment(tmp_path, TRACKER_URL="http://127.0.0.1:1"),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


TASK = ("--project", "p", "--task", "t")


@needs_posix
@pytest.mark.parametrize(
    "words",
    [("ls",), ("start", *TASK), ("wait", "--ready"), ("demo",), ("doctor",), ("key", "list")],
    ids=" ".join,
)
def test_ctrl_c_while_a_server_is_waited_for_is_130(tmp_path: Path, words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Process(
                [*COMMAND, *words],
                cwd=tmp_path,
                env=environment(tmp_path, TRACKER_URL=url, API_KEY="a-key-of-somebody"),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as command,
            silent.accept()[0],
        ):
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
    assert (command.returncode, said.splitlines()[-1]) == (130, b"Stopped.")
    assert b"Traceback" not in said
