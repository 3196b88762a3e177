"""`pytest --tracker-report`: tests are tasks, and pass and fail as without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.cli import package_environment
from tests.support.server import COMMAND, KEY, Server, quote
from tests.support.watched import Nowhere

TESTS = '''
import pytest

def test_passes(): pass

def test_fails():
    """x"""
    assert 1 == 2, "one is not two"

def test_raises(): raise KeyError("k")

def test_skips(): pytest.skip("not today")

@pytest.mark.xfail(reason="known")
def test_known(): assert False

@pytest.fixture
def broken(): raise OSError("no such thing")

def test_errors(broken): pass

@pytest.mark.parametrize("name", ["a" * 300, "a" * 301])
def test_long(name): pass
'''


def run(
    folder: Path, project: str, url: str, *options: str, tests: str = TESTS
) -> subprocess.CompletedProcess[str]:
    (folder / "test_theirs.py").write_text(tests, encoding="utf-8")
    given = {"TRACKER_URL": url, "API_KEY": KEY, "TRACKER_PROJECT": project}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "agent_task_tracker.pytest_plugin"),
            *("-p", "no:cacheprovider", *options),
        ],
        check=False,
        cwd=folder,
        env=package_environment(
            folder,
            **{
                **given,
                "TRACKER_SPOOL": str(folder / "spool"),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
        ),
        capture_output=True,
        text=True,
        timeout=100,
    )


def tasks(server: Server, project: str) -> dict[str, dict[str, Any]]:
    """By their titles."""
    found = server.http.get(f"/api/projects/{quote(project)}/tasks").json()["tasks"]
    return {task["title"]: server.task(project, task["task_id"]) for task in found}


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_each_test_is_a_task(
    options: tuple[str, ...], shared_server: Server, project: str, tmp_path: Path
) -> None:
    done = run(tmp_path, project, shared_server.url, "--tracker-report", *options)
    assert done.returncode == 1, done.stdout + done.stderr
    told = tasks(shared_server, project)
    (run_of_all,) = [told.pop(title) for title in list(told) if title.startswith("pytest -q")]
    assert {task["parent_task_id"] for task in told.values()} == {run_of_all["task_id"]}
    short = {title.partition("::")[2]: task for title, task in told.items()}
    results = {
        name: task["result"] if task["status"] == "completed" else task["error_type"]
        for name, task in short.items()
        if "long" not in name
    }
    assert results == {
        "test_passes": "passed",
        "test_fails": "AssertionError",
        "test_raises": "KeyError",
        "test_skips": "skipped: not today",
        "test_known": "xfailed: known",
        "test_errors": "OSError",
    }
    assert short["test_fails"]["error_message"].startswith("one is not two")
    assert "assert 1 == 2" in short["test_fails"]["stack_trace"]
    assert short["test_errors"]["metadata"]["phase"] == "setup"
    assert len([name for name in short if "long" in name]) == 2
    assert run_of_all["error_type"] == "TestsFailed"
    summary = "2 failed, 3 passed, 1 skipped, 1 xfailed, 1 errors"
    assert run_of_all["error_message"] == f"exit code 1: {summary}"
    assert run_of_all["agent"] == "pytest"


def test_a_later_run_is_a_further_attempt(
    shared_server: Server, project: str, tmp_path: Path
) -> None:
    for _ in range(2):
        done = run(
            *(tmp_path, project, shared_server.url, "--tracker-report"),
            tests="def test_one(): pass",
        )
        assert done.returncode == 0
    told = shared_server.task(project, "test_theirs.py::test_one")
    assert (told["status"], told["attempt"]) == ("completed", 2)


def test_what_cannot_be_collected(shared_server: Server, project: str, tmp_path: Path) -> None:
    done = run(
        tmp_path, project, shared_server.url, "--tracker-report", tests="import nothing_like_it"
    )
    assert done.returncode == 2
    (told,) = tasks(shared_server, project).values()
    assert told["status"] == "failed"
    assert "1 errors" in told["error_message"]
    assert "nothing_like_it" in told["stack_trace"]


def test_nothing_is_reported_unless_asked_for(
    shared_server: Server, project: str, tmp_path: Path
) -> None:
    run(tmp_path, project, shared_server.url, tests="def test_one(): pass")
    assert shared_server.http.get(f"/api/projects/{quote(project)}").status_code == 404


def test_without_a_server_tests_are_the_same_and_reports_come_later(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    nowhere = Nowhere()
    outputs = [
        run(tmp_path, "p", nowhere.url, *options, "--no-header", "--durations=0")
        for options in ((), ("--tracker-report",))
    ]
    assert outputs[0].returncode == outputs[1].returncode == 1
    assert outputs[1].stderr == outputs[0].stderr
    lines = [
        [line for line in output.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        for output in outputs
    ]
    assert lines[0] == lines[1] != []
    nowhere.close()
    server = start_server("--port", str(urlsplit(nowhere.url).port))
    given = {"TRACKER_URL": server.url, "API_KEY": KEY, "TRACKER_SPOOL": str(tmp_path / "spool")}
    subprocess.run(
        [*COMMAND, "flush"],
        check=True,
        env=package_environment(tmp_path, **given),
        capture_output=True,
    )
    assert len(tasks(server, "p")) == 9
