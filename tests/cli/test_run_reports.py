"""What `tracker run` tells the server of a command."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.platforms import needs_posix
from tests.support.server import COMMAND, Server, quote, wait_for
from tests.support.watched import PYTHON, TRACKER_RUN, Ended, run_process, shell, variables_for

pytestmark = needs_posix

Run = Callable[..., Ended]


@pytest.fixture
def run(shared_server: Server, project: str, tmp_path: Path) -> Run:
    """Run a command in this test's project, as the task `t`."""

    def start(*command: str, options: tuple[str, ...] = (), **variables: str) -> Ended:
        words = ["--project", project, "--task-id", "t", *options, "--", *command]
        given = variables_for(tmp_path, shared_server.url, **variables)
        return run_process([*COMMAND, "run", *words], tmp_path, given)

    return start


@pytest.fixture
def task(shared_server: Server, project: str) -> Callable[[], dict[str, Any]]:
    return lambda: shared_server.task(project, "t")


def events(task: dict[str, Any]) -> list[str]:
    return [event["type"] for event in task["events"]]


def test_a_command_that_succeeds(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    assert run("sh", "-c", "echo first; printf '12 passed'; exec >&2") == (
        0,
        b"first\n12 passed",
        b"",
    )
    told = task()
    assert (told["status"], told["progress"], told["result"]) == ("completed", 100, "12 passed")
    assert told["title"] == "sh -c 'echo first; printf '\"'\"'12 passed'\"'\"'; exec >&2'"
    assert told["agent"] == "shell"
    assert told["metadata"]["command"] == told["title"]
    assert told["metadata"]["exit_code"] == 0
    assert 0 < told["duration_seconds"] < 60
    assert events(told) == ["task_started", "task_finished"]


def test_a_command_that_fails(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    script = "echo compiled; echo; printf '\\033[31mwarning\\033[0m\\nno such file\\n' >&2; exit 3"
    assert run("sh", "-c", script, options=("--task", "Build")).code == 3
    told = task()
    assert (told["status"], told["title"]) == ("failed", "Build")
    assert (told["error_type"], told["error_message"]) == ("ExitCode", "exit code 3: no such file")
    assert told["stack_trace"] == (
        "Standard output:\ncompiled\n\nStandard error:\nwarning\nno such file"
    )
    assert told["metadata"]["exit_code"] == 3
    assert told["duration_seconds"] == pytest.approx(told["metadata"]["duration_seconds"], abs=0.01)


def test_one_that_is_killed(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    assert run("sh", "-c", "echo so far; kill -KILL $$").code == -signal.SIGKILL
    told = task()
    assert told["error_type"] == "SIGKILL"
    assert told["error_message"] == "ended by SIGKILL: so far"
    assert (told["metadata"]["exit_code"], told["metadata"]["signal"]) == (137, "SIGKILL")


def test_one_that_there_is_not(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    assert run("no-such-command-here").code == 127
    told = task()
    assert told["error_type"] == "NotStarted"
    assert told["error_message"] == "no-such-command-here: command not found"


def test_the_same_again_is_a_new_attempt(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    run("false")
    run("true")
    assert (task()["status"], task()["attempt"]) == ("completed", 2)


def test_of_much_output_the_end_is_told(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    script = (
        "import sys; sys.stderr.write('x' * 3_000_000 + '\\n' + 'é' * 9_000 + 'end'); sys.exit(1)"
    )
    assert run(PYTHON, "-c", script).code == 1
    trace = task()["stack_trace"]
    assert trace.endswith("éend")
    assert 9_900 < len(trace.encode()) <= 10_240


class Job:
    """A job that goes on when it is told to."""

    def __init__(
        self, server: Server, project: str, folder: Path, script: str, *options: str
    ) -> None:
        self.folder = folder
        words = ["--project", project, "--task-id", "t", *options, "--", "sh", "-c"]
        waits = 'step() { while [ ! -e "$1" ]; do sleep 0.02; done; }\n'
        self.process = subprocess.Popen(
            [*COMMAND, "run", *words, waits + script],
            cwd=folder,
            env=variables_for(folder, server.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def step(self, name: str) -> None:
        (self.folder / name).touch()


def test_the_last_line_while_it_runs(shared_server: Server, project: str, tmp_path: Path) -> None:
    script = (
        "printf 'Collecting\\n'; step one; printf '\\r 1/4 a\\r 2/4 b\\r'; step two;"
        "printf '\\033[1A\\033[2Kpassword: '; step three; echo; exec sleep 0"
    )
    pattern = ("--progress-pattern", r"(\d+)/(\d+)")
    job = Job(shared_server, project, tmp_path, script, *pattern)

    def told(message: str, progress: float) -> bool:
        found = shared_server.http.get(f"/api/projects/{quote(project)}/tasks/t").json()
        return (found.get("message"), found.get("progress")) == (message, progress)

    wait_for(lambda: told("Collecting", 0), 30)
    job.step("one")
    wait_for(lambda: told("2/4 b", 50), 30)
    job.step("two")
    wait_for(lambda: told("password:", 50), 30)  # waits for somebody
    job.step("three")
    assert job.process.wait(30) == 0


def test_a_job_that_is_ended_from_outside_is_told_of(
    shared_server: Server, project: str, tmp_path: Path
) -> None:
    """As `timeout` and CI systems end jobs: by signals to us and the whole group, repeatedly."""
    job = Job(shared_server, project, tmp_path, "touch began; exec sleep 60")
    wait_for((tmp_path / "began").exists, 30)
    while job.process.poll() is None:
        job.process.terminate()
        time.sleep(0.01)
    assert job.process.wait() == -signal.SIGTERM
    assert shared_server.task(project, "t")["error_type"] == "SIGTERM"


def test_a_job_in_a_folder_that_is_gone(shared_server: Server, tmp_path: Path) -> None:
    given = variables_for(tmp_path, shared_server.url)
    script = f"mkdir gone; cd gone; rmdir ../gone; {TRACKER_RUN} --task t true"
    assert shell(script, tmp_path, given).code == 0
    assert shared_server.task("unnamed", "t")["status"] == "completed"


def test_at_most_once_a_second(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    script = (
        "import time; end = time.monotonic() + 2.5; n = 0\n"
        "while time.monotonic() < end: n += 1; print('line', n, flush=True)"
    )
    assert run(PYTHON, "-c", script).code == 0
    told = task()
    updates = [event for event in told["events"] if event["type"] == "task_status_updated"]
    assert 1 <= len(updates) <= told["duration_seconds"]


def test_nothing_of_what_is_private(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    run("sh", "-c", "echo hidden; echo hidden >&2; sleep 1.2; exit 2", options=("--private",))
    told = task()
    assert (told["title"], told["error_message"]) == ("sh", "exit code 2")
    assert told["stack_trace"] is None
    assert "hidden" not in repr(told)


def test_no_secret(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    run(
        *(
            "sh",
            "-c",
            "echo token=abc123xyz; echo $DEPLOY_KEY; exit 1",
            "--",
            "--password",
            "pass1",
        ),
        DEPLOY_KEY="value-of-the-key",
    )
    told = task()
    assert "token=***\n***" in told["stack_trace"]
    for secret in ("abc123xyz", "value-of-the-key", "pass1"):
        assert secret not in repr(told)


def test_what_else_can_be_said(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    options = ("--agent", "ci", "--session", "s", "--parent", "p", "--stale-after", "60")
    run("true", options=options)
    told = task()
    assert (told["agent"], told["session"]) == ("ci", "s")
    assert (told["parent_task_id"], told["stale_after_seconds"]) == ("p", 60)


def test_the_name_of_a_long_command(shared_server: Server, project: str, tmp_path: Path) -> None:
    given = variables_for(tmp_path, shared_server.url, TRACKER_PROJECT=project)
    for last in ("one", "two"):
        run_process([*COMMAND, "run", "echo", "x" * 5000, last], tmp_path, given)
    found = shared_server.http.get(f"/api/projects/{quote(project)}/tasks").json()["tasks"]
    assert len({task["task_id"] for task in found}) == 2
    assert {len(task["task_id"]) for task in found} == {255}
    assert {len(task["title"]) for task in found} == {1000}


def test_arguments_that_are_no_text(run: Run, task: Callable[[], dict[str, Any]]) -> None:
    done = run("printf", "%s", os.fsdecode(b"\xff\xfe"), options=("--task", os.fsdecode(b"a\xff")))
    assert done == (0, b"\xff\xfe", b"")
    assert task()["status"] == "completed"


def test_the_project_is_the_folder_of_the_main_worktree(
    shared_server: Server, tmp_path: Path
) -> None:
    main = tmp_path / "main of worktrees"
    (main / ".git" / "worktrees" / "side").mkdir(parents=True)
    (main / "src").mkdir()
    side = tmp_path / "side"
    side.mkdir()
    (side / ".git").write_text(f"gitdir: {main}/.git/worktrees/side\n")
    given = variables_for(tmp_path, shared_server.url)
    for folder in (main / "src", side):
        words = ["--task", folder.name, "true"]
        assert run_process([*COMMAND, "run", *words], folder, given).code == 0
    assert shared_server.task(main.name, "src")["status"] == "completed"
    assert shared_server.task(main.name, "side")["status"] == "completed"


def test_what_is_told_is_told_when_it_ends(run: Run, shared_server: Server, project: str) -> None:
    """The next command of a job sees it."""
    for number in range(5):
        run("true", options=("--task-id", f"t{number}"))
        assert shared_server.task(project, f"t{number}")["status"] == "completed"
