"""The commands for scripts and for people, as processes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.cli import Terminal, json_lines, package_environment
from tests.support.cli import run as run_anywhere
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment
from tracker.cli.command_table import COMMANDS
from tracker.cli.group import cli

Run = Callable[..., subprocess.CompletedProcess[bytes]]

# What an agent may write to take over a terminal or to hide something: an escape sequence, the
# same in one character, a bell, a change of direction, markup of rich, a line break.
HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202eback [bold]b[/bold] :smile: \rover\nline"
HARMLESS = r"\x1b[31mred\x1b]0;title\x07\x9b2J\u202eback [bold]b[/bold] :smile: \rover\nline"


@pytest.fixture
def run(shared_server: Server, tmp_path: Path) -> Run:
    """Run a command that finds the module's server."""
    return partial(run_anywhere, home=tmp_path, server=shared_server)


@pytest.fixture
def terminal(shared_server: Server, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start a command on a terminal."""
    started: list[Terminal] = []

    def start(*arguments: str, **variables: str) -> Terminal:
        options = {"home": tmp_path, "server": shared_server, "variables": variables}
        started.append(Terminal(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_help_names_every_command_as_it_names_itself() -> None:
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name
        assert (command.help or "").split("\n")[0] == line


def test_a_task_from_a_script(shared_server: Server, run: Run, project: str) -> None:
    names = ("--project", project, "--task", "Сборка")
    started = run("start", *names, "--metadata", '{"sha": "abc"}')
    assert (started.returncode, started.stderr) == (0, b"")
    assert started.stdout.decode().startswith("Task started successfully: ")
    assert run("status", *names, "--progress", "40", "--message", "half").returncode == 0
    assert shared_server.task(project, "Сборка")["message"] == "half"
    assert run("finish", *names, "--result", "fine", "--duration", "2.5").returncode == 0

    task = shared_server.task(project, "Сборка")
    assert (task["title"], task["agent"], task["status"]) == ("Сборка", "shell", "completed")
    assert (task["result"], task["duration_seconds"]) == ("fine", 2.5)
    assert task["metadata"] == {"sha": "abc"}


def test_a_failure_with_its_log_from_standard_input(
    shared_server: Server, run: Run, project: str
) -> None:
    log = b"first line\n" + b"\xff" * 20_000 + b"\nlast line"
    done = run(
        *("error", "--task", "Build", "--task-id", "b1", "--message", "exit 2"),
        *("--type", "make", "--stack-trace", "-", "--json"),
        stdin=log,
        variables={"TRACKER_PROJECT": project, "TRACKER_AGENT": "ci"},
    )
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout)[0]["status"] == "error_recorded"
    task = shared_server.task(project, "b1")
    assert (task["error_type"], task["error_message"], task["agent"]) == ("make", "exit 2", "ci")
    assert task["stack_trace"].startswith("first line\n")
    assert task["stack_trace"].endswith("\nlast line")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "--task", "T"), "--project"),
        (("start", "--project", "p", "--task", "T" * 256), "give --task-id"),
        (("start", "--project", "p", "--task", "T", "--metadata", "[1]"), "expected an object"),
        (("status", "--project", "p", "--task", "T", "--progress", "101"), "--progress"),
        (("wait",), "--ready"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_what_the_server_refuses_is_1_and_one_line(run: Run) -> None:
    done = run("show", "no such project", "t")
    assert (done.returncode, done.stdout) == (1, b"")
    assert re.fullmatch(r"tracker: .*404 NOT_FOUND\)\r?\n", done.stderr.decode())


@pytest.mark.parametrize("command", [("stats",), ("wait", "--all-finished")])
def test_without_the_key_the_line_says_where_to_put_it(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, variables={"API_KEY": "the-wrong-key"})
    assert done.returncode == 1
    assert "set API_KEY" in done.stderr.decode()


def test_no_server_is_69_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = run_anywhere("ls", "--url", url, home=tmp_path)
    assert (done.returncode, done.stdout) == (69, b"")
    assert re.fullmatch(r"tracker: .*`tracker serve`.*\r?\n", done.stderr.decode())


def test_the_server_is_found_by_its_ready_file_and_the_key_it_keeps(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(key=None)
    flag = ("--ready-file", str(server.folder / "ready.json"))
    assert run_anywhere("stats", "--json", *flag, home=tmp_path).returncode == 0
    named = {"TRACKER_READY_FILE": flag[1]}
    assert run_anywhere("stats", "--json", home=tmp_path, variables=named).returncode == 0
    # The database that the server was started with, in the .env of the working directory.
    (tmp_path / ".env").write_text(
        f"TRACKER_DB={server.database.as_posix()}\nTRACKER_PORT={server.ready['port']}\n"
    )
    assert run_anywhere("stats", "--json", home=tmp_path).returncode == 0
    server.stop()
    assert run_anywhere("stats", *flag, home=tmp_path).returncode == 69


def test_lists_for_programs(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("start", project, "t1")
    shared_server.report("finish", project, "t1", result=HOSTILE)
    shared_server.report("start", project, "t2")
    tasks = json_lines(run("ls", project, "--json").stdout)
    assert [task["task_id"] for task in tasks] == ["t2", "t1"]
    assert tasks[1]["result"] == HOSTILE
    running = json_lines(run("ls", project, "--status", "running", "--json").stdout)
    assert [task["task_id"] for task in running] == ["t2"]
    assert len(json_lines(run("ls", project, "-n", "1", "--json").stdout)) == 1
    assert project in [p["name"] for p in json_lines(run("ls", "--json").stdout)]
    everywhere = json_lines(run("ls", "--status", "running", "-n", "500", "--json").stdout)
    assert (project, "t2") in [(task["project"], task["task_id"]) for task in everywhere]
    assert "completed" not in [task["status"] for task in everywhere]
    (newest,) = json_lines(run("ls", "--tasks", "-n", "1", "--json").stdout)
    assert (newest["project"], newest["task_id"]) == (project, "t2")
    assert run("ls", "--tasks", "-n", "1").stdout.decode().split()[:2] == ["PROJECT", "TASK"]
    (shown,) = json_lines(run("show", project, "t1", "--json").stdout)
    assert [event["type"] for event in shown["events"]] == ["task_started", "task_finished"]
    (stats,) = json_lines(run("stats", project, "--json").stdout)
    assert stats["task_stats"]["completed"] == 1
    events = json_lines(run("tail", "--project", project, "-n", "2", "--json").stdout)
    assert [event["type"] for event in events] == ["task_finished", "task_started"]


def test_nothing_an_agent_wrote_is_obeyed(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("start", project, "t1", task=HOSTILE, agent=HOSTILE, metadata={HOSTILE: 1})
    shared_server.report("status", project, "t1", task=HOSTILE, message=HOSTILE, agent=HOSTILE)
    shared_server.report(
        *("error", project, "t1"),
        task=HOSTILE,
        agent=HOSTILE,
        error_type=HOSTILE,
        error_message=HOSTILE,
        stack_trace=HOSTILE,
    )
    for arguments in (
        ("ls", project),
        ("show", project, "t1"),
        ("tail", "--project", project),
        ("stats",),
        ("ls", project, "--json"),
        ("tail", "--project", project, "--json"),
        ("report", "--project", project),
        ("report", "--format", "junit", "--project", project),
        ("report", "--format", "json", "--project", project),
    ):
        output = run(*arguments).stdout.decode()
        assert "red" in output, arguments
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output), arguments
    assert HARMLESS in run("ls", project).stdout.decode()
    assert HARMLESS in run("tail", "--project", project).stdout.decode()


@needs_posix
def test_colours_on_a_terminal_unless_told_not_to(
    shared_server: Server, terminal: Callable[..., Terminal], run: Run, project: str
) -> None:
    shared_server.report("finish", project, "t1")
    assert "\x1b[32mcompleted\x1b[0m" in terminal("ls", project).read_all()
    plain = terminal("ls", project, NO_COLOR="1").read_all()
    assert "completed" in plain
    assert "\x1b[32m" not in plain
    assert b"\x1b" not in run("ls", project).stdout


@needs_posix
def test_following_on_a_terminal_with_live_bars(
    shared_server: Server, terminal: Callable[..., Terminal], project: str
) -> None:
    shared_server.report("start", project, "t1", task="Long work \x1b[2J")
    tail = terminal("tail", "-f", "--project", project)
    assert "\x1b[2J" not in tail.read_until("  0%")
    shared_server.report("status", project, "t1", progress=42, task="Long work")
    tail.read_until(" 42%")
    shared_server.report("finish", project, "t1", task="Long work", result="all of it")
    tail.read_until("all of it")
    tail.process.send_signal(signal.SIGINT)
    tail.read_all()
    assert tail.process.returncode == 0


def test_following_for_programs(shared_server: Server, tmp_path: Path, project: str) -> None:
    shared_server.report("start", project, "t1")
    with Process(
        [*COMMAND, "tail", "-f", "--json", "--project", project],
        cwd=tmp_path,
        env=environment(tmp_path, TRACKER_URL=shared_server.url, API_KEY=KEY),
        stdout=subprocess.PIPE,
    ) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["type"] == "task_started"
        shared_server.report("finish", project, "t1")
        assert json.loads(tail.stdout.readline())["type"] == "task_finished"
        tail.terminate()


def test_waiting_until_all_have_ended(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    wait = partial(run_anywhere, "wait", "--all-finished", home=tmp_path, server=server)
    nothing = wait("--timeout", "0")
    assert (nothing.returncode, nothing.stdout) == (75, b"")
    server.report("start", "good", "t1")
    assert wait("--timeout", "0").returncode == 75
    server.report("finish", "good", "t1")
    assert wait().returncode == 0
    server.report("error", "bad", "t1")
    assert wait().returncode == 1
    assert wait("--project", "good").returncode == 0
    assert wait("--project", "none", "--timeout", "0").returncode == 75


def test_waiting_for_a_server_that_is_yet_to_start(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    ready_file = tmp_path / "server0" / "ready.json"
    arguments = ("wait", "--ready", "--ready-file", str(ready_file))
    never = run_anywhere(*arguments, "--timeout", "0", home=tmp_path)
    assert never.returncode == 75
    waiting = Process([*COMMAND, *arguments], cwd=tmp_path, env=environment(tmp_path))
    start_server()
    assert waiting.wait(60) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_for_the_shell(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert f"_TRACKER_COMPLETE={shell}_complete" in done.stdout.decode()


@needs_posix
def test_bash_completes_commands_and_options(run: Run, tmp_path: Path) -> None:
    tracker = tmp_path / "tracker"
    tracker.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    tracker.chmod(0o755)
    script = run("completion", "bash").stdout.decode()
    for words, expected in (("tracker st", "start status stats"), ("tracker wait --re", "--ready")):
        typed = f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}"
        ask = f'_tracker_completion "{tracker}"; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{typed}\n{ask}"],
            check=True,
            env={**environment(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith(expected), done.stderr


def test_licences_are_listed(run: Run) -> None:
    packages = {
        package["name"]: package for package in json_lines(run("licenses", "--json").stdout)
    }
    assert packages["falcon"]["license"] == "Apache-2.0"
    assert "Apache License" in packages["falcon"]["text"]
    assert {"agent-task-tracker", "apsw", "pydantic", "uvicorn", "Python"} <= packages.keys()
    assert "falcon" in run("licenses").stdout.decode()


def test_commands_of_agents_import_neither_falcon_nor_pydantic(
    shared_server: Server, tmp_path: Path
) -> None:
    code = """if True:
        import sys
        from tracker.cli.group import cli
        for arguments in ARGUMENTS:
            try:
                cli(arguments, prog_name="tracker")
            except SystemExit as end:
                assert not end.code, arguments
        print(sorted({"falcon", "pydantic", "uvicorn", "apsw", "orjson"} & sys.modules.keys()))
    """
    names = ["--project", "p", "--task", "t"]
    arguments = [
        *(["--help"], ["--version"], ["start", *names], ["status", *names], ["finish", *names]),
        *(["ls"], ["ls", "p"], ["show", "p", "t"], ["stats"], ["tail"], ["report"]),
        *(["key", "list"], ["audit"]),
        ["error", *names, "--message", "m"],
        ["finish", *names],
        ["wait", "--ready", "--all-finished", "--project", "p"],
        *(["completion", "bash"], ["licenses"], ["serve", "--help"]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", f"ARGUMENTS = {arguments!r}\n{code}"],
        check=False,
        cwd=tmp_path,
        env=package_environment(tmp_path, TRACKER_URL=shared_server.url, API_KEY=KEY),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_and_version_are_the_same_however_they_are_asked_for(run: Run) -> None:
    """Alone they are answered without click, for the sake of time."""
    for option, begins in (("--help", b"Usage: tracker"), ("--version", b"tracker, version ")):
        done = run(option)
        assert done.stdout.startswith(begins)
        assert run(option, option).stdout == done.stdout


@needs_posix
def test_an_interrupted_command_is_130(
    shared_server: Server, terminal: Callable[..., Terminal]
) -> None:
    waiting = terminal("demo", "--seconds", "600")
    waiting.read_until("agents work")
    waiting.process.send_signal(signal.SIGINT)
    assert waiting.read_all().endswith("\r\n\r\nStopped.\r\n")
    assert waiting.process.returncode == 130
