"""The file that is the server's Unix socket: whose it is, what it replaces, when it goes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from agent_task_tracker import Client
from tests.support.cli import run
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, Server, environment, wait_for
from tracker.errors import ConfigError
from tracker.server.unix_socket import listening

pytestmark = needs_posix


@pytest.fixture
def served(start_server: Callable[..., Server], socket_path: Path) -> Server:
    return start_server("--unix-socket", str(socket_path))


def answers(socket_path: Path) -> bool:
    return Client(f"unix:{socket_path}", KEY, patience=0).health()["status"] == "healthy"


def refusal(home: Path, socket_path: Path | str) -> tuple[int, str]:
    """Exit code and the one line of a server that does not start."""
    flags = ("--port", "0", "--db", ":memory:", "--unix-socket", str(socket_path))
    done = run("serve", *flags, home=home)
    assert (done.stdout, done.stderr.count(b"\n")) == (b"", 1)
    return done.returncode, done.stderr.decode()


def test_it_is_for_its_user_alone_from_the_first_moment(socket_path: Path) -> None:
    """With whatever umask the server is started."""
    modes: set[int] = set()
    seen, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                modes.add(stat.S_IMODE(socket_path.lstat().st_mode))
                seen.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    flags = ("--port", "0", "--db", ":memory:", "--unix-socket", str(socket_path))
    process = Process(
        [*COMMAND, "serve", *flags],
        cwd=socket_path.parent,
        env=environment(socket_path.parent),
        umask=0o000,
    )
    try:
        assert seen.wait(20)
        wait_for(lambda: is_live(socket_path))
        assert answers(socket_path)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        done.set()
        watcher.join()
    assert modes == {0o600}
    assert not socket_path.exists()


def is_live(socket_path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(str(socket_path)) == 0


def test_other_files_keep_their_modes(
    start_server: Callable[..., Server], socket_path: Path
) -> None:
    """The mask of the process is as it was: the ready file is for all who may by it."""
    server = start_server("--unix-socket", str(socket_path))
    mask = os.umask(0o077)
    os.umask(mask)
    mode = stat.S_IMODE((server.folder / "ready.json").stat().st_mode)
    assert mode == 0o666 & ~mask


def test_a_killed_servers_is_replaced(
    start_server: Callable[..., Server], socket_path: Path
) -> None:
    first = start_server("--unix-socket", str(socket_path))
    first.stop(signal.SIGKILL)
    assert socket_path.is_socket()
    assert not is_live(socket_path)
    second = start_server("--unix-socket", str(socket_path))
    assert answers(socket_path)
    assert second.stop() == 0
    assert not socket_path.exists()


def test_a_live_servers_is_left(served: Server, socket_path: Path, tmp_path: Path) -> None:
    code, line = refusal(tmp_path, socket_path)
    assert code == 75
    assert line == f"tracker: {socket_path}: a server listens there; choose another --unix-socket\n"
    assert answers(socket_path)


def test_a_servers_of_which_nobody_takes_connections_is_left(
    socket_path: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        busy = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        busy.bind(str(socket_path))
        busy.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            waiting.setblocking(False)
            waiting.connect_ex(str(socket_path))
        assert refusal(tmp_path, socket_path)[0] == 75
        assert socket_path.is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dead link", "pipe"])
def test_what_is_no_socket_is_left(socket_path: Path, tmp_path: Path, kind: str) -> None:
    other = socket_path.parent / "of the user's"
    match kind:
        case "file":
            socket_path.write_text("of the user's")
        case "folder":
            socket_path.mkdir()
        case "link":
            other.write_text("of the user's")
            socket_path.symlink_to(other)
        case "dead link":
            socket_path.symlink_to(other)
        case "pipe":
            os.mkfifo(socket_path)
    before = socket_path.lstat()
    code, line = refusal(tmp_path, socket_path)
    assert code == 78
    assert (
        line == f"tracker: {socket_path}: is there, and no socket; choose another --unix-socket\n"
    )
    assert socket_path.lstat() == before
    assert other.exists() == (kind == "link")


def test_a_socket_of_another_kind_is_left(socket_path: Path, tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as other:
        other.bind(str(socket_path))
        code, line = refusal(tmp_path, socket_path)
        assert (code, str(socket_path) in line) == (78, True)
        assert socket_path.is_socket()


@pytest.mark.parametrize("name", ["", "missing/t.sock", "x" * 200], ids=["none", "folder", "long"])
def test_where_none_can_be(tmp_path: Path, name: str) -> None:
    code, line = refusal(tmp_path, name)
    assert code == 78
    assert ("--unix-socket" if name == "" else name) in line


def test_what_somebody_put_in_its_place_is_left(served: Server, socket_path: Path) -> None:
    socket_path.unlink()
    socket_path.write_text("of somebody's")
    assert served.stop() == 0
    assert socket_path.read_text() == "of somebody's"


def test_a_server_that_does_not_start_leaves_none(
    start_server: Callable[..., Server], socket_path: Path, tmp_path: Path
) -> None:
    server = start_server()
    flags = ("--port", "0", "--db", str(server.database), "--unix-socket", str(socket_path))
    assert run("serve", *flags, home=tmp_path).returncode == 75  # the database is another's
    assert not socket_path.exists()


BEGIN = """
import sys
from pathlib import Path
from tracker.errors import InUse
from tracker.server.unix_socket import listening
print("ready", flush=True)
sys.stdin.readline()
try:
    with listening(sys.argv[1]):
        print("has it", flush=True)
        sys.stdin.readline()
except InUse:
    print("in use", flush=True)
"""


def test_of_those_who_begin_at_once_one_has_it(socket_path: Path) -> None:
    """Each finds a dead socket; the second must not remove the first one's."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(socket_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment(socket_path.parent), "PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for process in begun:
            assert said(process) == "ready"
        with closing(socket.socket(socket.AF_UNIX)) as dead:
            dead.bind(str(socket_path))
        for process in begun:
            tell(process)
        assert sorted(said(process) for process in begun) == ["has it", *["in use"] * 7]
        assert is_live(socket_path)
    finally:
        for process in begun:
            process.communicate("\n", 20)
    assert not socket_path.exists()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_windows_has_none(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("socket.AF_UNIX")
    with pytest.raises(ConfigError, match="--unix-socket: not on this system"), listening("a"):
        pass
