"""An address that cannot be had is one line that says what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.server import COMMAND, Server, environment


def refusal(home: Path, *flags: str) -> tuple[int, str]:
    """Exit code and standard error of a server that does not start."""
    done = processes.run(
        [*COMMAND, "serve", "--db", ":memory:", *flags],
        env=environment(home),
        cwd=home,
        encoding="utf-8",
        seconds=60,
    )
    return done.returncode, done.stderr


def test_port_of_another_program_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, line = refusal(tmp_path, "--port", port)
    assert code == 75
    assert line == f"tracker: 127.0.0.1:{port}: the port is taken; choose another --port\n"


def test_port_of_a_tracker_is_named_as_such(shared_server: Server, tmp_path: Path) -> None:
    address = shared_server.url.removeprefix("http://")
    code, line = refusal(tmp_path, "--port", address.partition(":")[2])
    assert code == 75
    assert line == (
        f"tracker: {address}: the port is taken, by a tracker that runs already; use that one, or "
        "choose another --port\n"
    )


@pytest.mark.parametrize("host", ["203.0.113.9", "no-such-host.invalid", "two..dots", "ё" * 64])
def test_host_that_is_not_here_is_named(tmp_path: Path, host: str) -> None:
    code, line = refusal(tmp_path, "--host", host, "--port", "0")
    assert code == 78
    assert line.startswith(f"tracker: {host}:0: cannot be bound: ")
    assert line.count("\n") == 1
    assert "while attempting" not in line
