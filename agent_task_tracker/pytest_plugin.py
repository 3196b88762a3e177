"""pytest's fixture `tracker_server`, a server of its own for projects that test against it,
`tracker_project`, a name in it for each test, and the option `--tracker-report`, which reports
tests as tasks (`agent_task_tracker/pytest_reports.py`).

    def test_my_agent(tracker_server, tracker_project):
        run_my_agent(tracker_server.url, tracker_server.api_key, project=tracker_project)
        assert tracker_server.client.task(tracker_project, "task-1")["status"] == "completed"

Loaded by pytest wherever this package is installed, so it imports next to nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from agent_task_tracker.client import Client


def pytest_addoption(parser: pytest.Parser) -> None:
    """Ours."""
    parser.getgroup("agent-task-tracker").addoption(
        "--tracker-report",
        action="store_true",
        help="report the run, and each test as a task of it, to the server that TRACKER_URL, "
        "TRACKER_READY_FILE and API_KEY lead to; tests pass and fail as without it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Report, if that is asked for; with pytest-xdist only the process that hears of all tests."""
    if config.getoption("tracker_report", default=False) and not hasattr(config, "workerinput"):
        from agent_task_tracker.pytest_reports import TestReports, tracker_of

        title = " ".join(["pytest", *map(str, config.invocation_params.args)])
        config.pluginmanager.register(TestReports(tracker_of(), title), "agent_task_tracker_report")


class TrackerServer(NamedTuple):
    """A running server: its address, its key, and a client of it."""

    url: str
    api_key: str
    client: Client

    def __repr__(self) -> str:
        """Without the key: pytest shows it when a test fails."""
        return f"TrackerServer(url={self.url!r})"


@pytest.fixture(scope="session")
def tracker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackerServer]:
    """An ephemeral server without rate limits; one for the whole session (and each worker of
    pytest-xdist), so tests keep apart by the names of their projects: see `tracker_project`."""
    import json
    import os
    import signal
    import subprocess
    import sys

    from agent_task_tracker.client import Client

    folder = tmp_path_factory.mktemp("tracker")
    ready_file = folder / "ready.json"
    command = [
        # Not `tracker`: on PYTHONPATH there may be the project's own module of that name.
        *(sys.executable, "-P", "-m", "agent_task_tracker", "serve", "--ephemeral"),
        *("--log-level", "warning"),
        *("--host", "127.0.0.1", "--ready-file", str(ready_file)),
        *("--rate-limit-webhook", "0", "--rate-limit-api", "0", "--ws-per-project", "0"),
    ]
    # On Windows only Ctrl-Break ends it cleanly, and is sent to a whole process group.
    stop, flags = signal.SIGTERM, 0
    if sys.platform == "win32":
        stop, flags = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
    # Neither settings of a server that stays apply, nor, in a working directory of its own, the
    # .env of the project under test.
    ours = ("TRACKER_", "API_KEY", "SECRET_KEY")
    clean = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    with subprocess.Popen(
        command, cwd=folder, env=clean, stdin=subprocess.DEVNULL, creationflags=flags
    ) as process:
        try:
            _wait_for(ready_file, process)
            ready = json.loads(ready_file.read_text(encoding="utf-8"))
            client = Client(ready["url"], ready["key"])
            yield TrackerServer(ready["url"], ready["key"], client)
        finally:
            process.send_signal(stop)


@pytest.fixture
def tracker_project(request: pytest.FixtureRequest) -> str:
    """A project's name that no other test has: the test's own."""
    from agent_task_tracker.naming import id_of

    return id_of(request.node.nodeid)


def _wait_for(ready_file: Path, process: subprocess.Popen[bytes]) -> None:
    import time

    end = time.monotonic() + 60
    while not ready_file.exists():
        if process.poll() is not None:
            pytest.fail(f"the tracker ended with exit code {process.returncode}; see its output")
        if time.monotonic() > end:
            pytest.fail("the tracker was not ready within 60 s")
        time.sleep(0.01)
