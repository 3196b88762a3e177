"""`tracker serve --ephemeral`, and the pytest plugin that uses it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.cli import package_environment, run
from tests.support.processes import Process
from tests.support.server import COMMAND, GROUP, STOP, environment, wait_for

ROOT = Path(__file__).parents[2]


class Ephemeral:
    """An ephemeral server; `ready` is what its ready file holds."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        self.temporary = home / "temporary"
        self.temporary.mkdir()
        self.ready_file = home / "ready.json"
        names = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        self.process = Process(
            [*COMMAND, "serve", "--ephemeral", "--ready-file", str(self.ready_file), *flags],
            cwd=home,
            env={**environment(home), **names, **variables},
            creationflags=GROUP,
        )
        wait_for(self.ready_file.exists, 30, "the ready file")
        self.ready: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        self.headers = {"X-API-Key": self.ready["key"]}

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        headers = self.headers if headers is None else headers
        return httpx.get(self.ready["url"] + path, headers=headers, trust_env=False)


@pytest.fixture
def ephemeral(tmp_path: Path) -> Iterator[Callable[..., Ephemeral]]:
    started: list[Ephemeral] = []

    def start(*flags: str, **variables: str) -> Ephemeral:
        started.append(Ephemeral(tmp_path, *flags, **variables))
        return started[-1]

    yield start
    for server in started:
        server.process.send_signal(STOP)
        server.process.wait()


def test_it_serves_with_a_key_of_its_own_and_leaves_nothing(
    ephemeral: Callable[..., Ephemeral], tmp_path: Path
) -> None:
    # What a server that stays is told here does not count.
    (tmp_path / ".env").write_text("TRACKER_DB=stays.db\nTRACKER_PORT=1\n")
    server = ephemeral()
    assert server.get("/api/stats").status_code == 200
    assert server.get("/api/stats", {}).status_code == 401
    assert len(server.ready["key"]) >= 32
    if os.name == "posix":
        assert stat.S_IMODE(server.ready_file.stat().st_mode) == 0o600
    assert Path(server.ready["db"]).is_relative_to(server.temporary)
    assert Path(server.ready["db"]).exists()
    server.process.send_signal(STOP)
    assert server.process.wait(20) == 0
    assert list(server.temporary.iterdir()) == []
    assert not server.ready_file.exists()
    assert not (tmp_path / "stays.db").exists()


def test_it_takes_a_key_and_a_port_that_are_given(ephemeral: Callable[..., Ephemeral]) -> None:
    """Its own key is in the file all the same: a file never holds one that was given."""
    given = "a-key-that-was-given"
    server = ephemeral(API_KEY=given)
    assert given not in server.ready_file.read_text(encoding="utf-8")
    assert server.get("/api/info").json()["access"]["name"] == "ready-file"
    server.headers = {"X-API-Key": given}
    assert server.get("/api/info").json()["access"]["name"] == "master"


@pytest.mark.parametrize("key", ["vTAbM3gmJ9yqkGUi6pb0hVYtvYhyAClmN9YxnJ2yGOE", "my own key"])
def test_commands_find_its_key_whatever_is_given(
    ephemeral: Callable[..., Ephemeral], tmp_path: Path, key: str
) -> None:
    server = ephemeral(API_KEY=key)
    for variables in ({}, {"API_KEY": key}):
        flags = ("--ready-file", str(server.ready_file))
        assert run("stats", *flags, home=tmp_path, variables=variables).returncode == 0


def test_others_do_not_put_the_key_into_the_ready_file(start_server: Callable[..., Any]) -> None:
    assert start_server().ready.keys() == {"url", "host", "port", "pid", "version", "db"}


def test_a_database_to_keep_is_refused(tmp_path: Path) -> None:
    done = run("serve", "--ephemeral", "--db", "kept.db", home=tmp_path)
    assert done.returncode == 78
    assert b"--ephemeral keeps nothing" in done.stderr
    assert not (tmp_path / "kept.db").exists()


@pytest.mark.skipif(os.name == "nt", reason="there every signal is a Ctrl-Break")
def test_however_often_it_is_told_to_stop_it_leaves_nothing(
    ephemeral: Callable[..., Ephemeral],
) -> None:
    """As by a job whose whole group is told, and which then tells it too."""
    server = ephemeral()
    while server.process.poll() is None:
        server.process.send_signal(STOP)
    left = [path.name for path in server.temporary.iterdir()]
    # The one file's boot loader is ended as it cleans up; the next start removes what it leaves.
    assert [name for name in left if not name.startswith("_MEI")] == []
    assert not server.ready_file.exists()


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_a_switch_takes_no_other_words(tmp_path: Path, value: str) -> None:
    done = run("serve", home=tmp_path, variables={"TRACKER_EPHEMERAL": value})
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert b"TRACKER_EPHEMERAL" in done.stderr


def test_it_stops_by_itself_once_nobody_asks(ephemeral: Callable[..., Ephemeral]) -> None:
    server = ephemeral("--idle-timeout", "1")
    assert server.process.wait(30) == 0
    assert list(server.temporary.iterdir()) == []


def test_an_open_stream_keeps_it_up(ephemeral: Callable[..., Ephemeral]) -> None:
    server = ephemeral("--idle-timeout", "1")
    url = server.ready["url"].replace("http", "ws", 1) + "/ws"
    with connect(url, additional_headers=server.headers, proxy=None) as socket:
        # Three times the idle time without any other traffic.
        with pytest.raises(TimeoutError):
            socket.recv(timeout=3)
        assert server.process.poll() is None
    assert server.process.wait(30) == 0


# A server that took any of these for its own would not start, or keep what it is told.
UNUSABLE = {
    "TRACKER_PORT": "1",
    "TRACKER_DB": "stays.db",
    "TRACKER_TLS_CERT": "none.pem",
    "TRACKER_LOG_FORMAT": "unknown",
    "API_KEY": "bad",
    "SECRET_KEY": "bad",
}


def test_the_plugin_gives_tests_a_server(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        """
import os
import pytest

@pytest.mark.parametrize("n", [1, "x" * 300])
def test_one(tracker_server, tracker_project, n):
    tracker_server.client.start(tracker_project, "Title", "t", "agent")
    task = tracker_server.client.task(tracker_project, "t")
    assert (task["status"], task["attempt"]) == ("running", 1)

def test_two(tracker_server):
    assert os.environ["API_KEY"] == "bad"
    assert tracker_server.url.startswith("http://127.0.0.1:")
    assert tracker_server.api_key not in repr(tracker_server) + str(tracker_server)
    assert len(list(tracker_server.client.projects())) == 2
""",
        encoding="utf-8",
    )

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "agent_task_tracker.pytest_plugin",
            "-p",
            "no:cacheprovider",
        ],
        check=False,
        cwd=tmp_path,
        env=package_environment(tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **UNUSABLE),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_pytest_finds_the_plugin() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (module,) = pyproject["project"]["entry-points"]["pytest11"].values()
    assert module == "agent_task_tracker.pytest_plugin"
