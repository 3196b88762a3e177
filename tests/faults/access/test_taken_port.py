"""Another program has the port of a server that is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.cli import run
from tests.support.client_commands import CLIENT_COMMANDS, OURS
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, Server, environment, wait_for
from tests.support.trap import Trap


def leave_behind(server: Server) -> dict[str, Any]:
    """Kill it, so that its ready file stays; what that says."""
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(20)
    return dict(json.loads((server.folder / "ready.json").read_text(encoding="utf-8")))


def as_the_key_is_found(server: Server) -> list[tuple[str, ...]]:
    """Flags that lead to the address that the server had, and to the key that it kept."""
    return [("--ready-file", str(server.folder / "ready.json")), ("--url", server.url)]


@needs_posix
@pytest.mark.parametrize("command", CLIENT_COMMANDS, ids=lambda command: command[0])
def test_whoever_took_the_port_gets_no_key(
    start_server: Callable[..., Server], tmp_path: Path, command: tuple[str, ...]
) -> None:
    server = start_server(key=None)
    key = server.kept_key
    port = leave_behind(server)["port"]
    for flags in as_the_key_is_found(server):
        with Trap(port=port) as trap:
            variables = {"TRACKER_DB": str(server.database)}
            done = run(*command, *flags, home=tmp_path, variables=variables)
        assert key.encode() not in trap.received
        assert OURS.encode() not in trap.received
        assert set(trap.targets) <= {"GET /health", "GET /proof"}
        if command[:2] == ("wait", "--ready"):  # it says that something answers, no more
            assert done.returncode == 0
            continue
        assert "GET /proof" in trap.targets
        assert done.returncode == 69
        if command[0] != "doctor":
            assert done.stderr.count(b"\n") == 1
            assert b"did not prove" in done.stderr
            assert b"API_KEY" in done.stderr


@needs_posix
def test_who_took_the_port_of_an_ephemeral_server_gets_no_key(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    serve = [*COMMAND, "serve", "--ephemeral", "--ready-file", str(ready_file)]
    with Process(serve, cwd=tmp_path, env=environment(tmp_path)):
        wait_for(ready_file.exists, 30, "the ready file")
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        flags = ("--ready-file", str(ready_file))
        assert run("stats", *flags, home=tmp_path).returncode == 0
        os.kill(ready["pid"], signal.SIGKILL)
    with Trap(port=ready["port"]) as trap:
        assert run("stats", *flags, home=tmp_path).returncode == 69
    assert ready["key"].encode() not in trap.received
    assert trap.targets == ["GET /proof"]


@needs_posix
@pytest.mark.parametrize("command", ["start", "stats", "doctor"])
def test_a_proof_that_is_handed_on_proves_nothing(
    start_server: Callable[..., Server], tmp_path: Path, command: str
) -> None:
    """The server has moved to another port; who has its old one asks it what the client asks."""
    server = start_server(key=None)
    proofs: list[bytes] = []

    def ask(_connection: socket.socket, request: bytes) -> bytes:
        with closing(raw.connect(server)) as behind:
            behind.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = raw.read_all(behind)
        proofs.extend([answer] if b'{"proof":' in answer else [])
        return answer.replace(b"connection: close\r\n", b"")

    names = ("--project", OURS, "--task", "t") if command == "start" else ()
    with Trap(answer=ask) as trap:
        variables = {"TRACKER_DB": str(server.database)}
        done = run(command, *names, "--url", trap.url, home=tmp_path, variables=variables)
    assert proofs, "the server gave none"
    assert done.returncode == 69
    assert server.kept_key.encode() not in trap.received
    assert OURS.encode() not in trap.received
    assert b"did not prove" in done.stdout + done.stderr


@needs_posix
def test_a_server_deletes_its_own_ready_file_only(start_server: Callable[..., Server]) -> None:
    first = start_server()
    ready_file = first.folder / "ready.json"
    second = Server.start(first.folder, db=str(first.folder / "second.db"))
    try:
        assert first.stop() == 0
        assert pid_in(ready_file) == second.pid
    finally:
        assert second.stop() == 0
    assert not ready_file.exists()


def pid_in(ready_file: Path) -> int:
    return int(json.loads(ready_file.read_text(encoding="utf-8"))["pid"])
