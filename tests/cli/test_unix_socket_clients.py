"""Commands and the client for Python by a Unix socket: when the kept key is sent there."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent_task_tracker import Client, ClientError, Unreachable
from agent_task_tracker.credentials import StoredKey
from agent_task_tracker.keys import kept_in, read_key_file
from agent_task_tracker.transport import Transport
from tests.support.cli import run
from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server
from tests.support.trap import Trap

pytestmark = needs_posix


@pytest.fixture
def served(start_server: Callable[..., Server], socket_path: Path) -> Server:
    return start_server("--unix-socket", str(socket_path))


def test_commands_and_the_client_for_python_come_by_it(
    served: Server, socket_path: Path, tmp_path: Path
) -> None:
    url = f"unix:{socket_path}"
    client = Client(url, KEY)
    assert client.url == url
    assert client.start("p", "T", "t", "a")["status"] == "started"
    assert [event["type"] for event in client.events()] == ["task_started"]
    for flags, variables in (
        (("--url", url), {}),
        ((), {"TRACKER_URL": url}),
        ((), {"TRACKER_UNIX_SOCKET": str(socket_path), "TRACKER_PORT": "1"}),
    ):
        done = run("ls", "p", *flags, home=tmp_path, variables={"API_KEY": KEY, **variables})
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"running" in done.stdout
    done = run(
        "ls", "p", "--url", "unix:t.sock", home=socket_path.parent, variables={"API_KEY": KEY}
    )
    assert done.returncode == 0, "a relative one is of the working directory"
    done = run("doctor", "--url", url, home=tmp_path, variables={"API_KEY": KEY})
    assert b"WebSocket: works" in done.stdout
    assert b"Nothing is wrong." in done.stdout


def test_where_nobody_listens(socket_path: Path, tmp_path: Path) -> None:
    done = run("stats", "--url", f"unix:{socket_path}", home=tmp_path, variables={"API_KEY": KEY})
    assert (done.returncode, done.stderr.count(b"\n")) == (69, 1)
    assert b"no answer (No such file or directory)" in done.stderr
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(socket_path))
    with pytest.raises(Unreachable, match="refused"):
        Client(f"unix:{socket_path}", KEY, patience=0).health()


@pytest.mark.parametrize("url", ["unix:", "unix:/", "unix:/run/", "unix:/a\nb", "unix:/a\0b"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ClientError, match="a server's address looks like"):
        Client(url, KEY)


@pytest.fixture
def keeping(start_server: Callable[..., Server], socket_path: Path) -> Server:
    """A server that made its key, which is beside its database."""
    return start_server("--unix-socket", str(socket_path), key=None)


def kept(server: Server, socket_path: Path) -> Any:
    """`tracker stats` with the key that is kept."""
    variables = {"TRACKER_DB": str(server.database), "TRACKER_URL": f"unix:{socket_path}"}
    return run("stats", home=server.folder, variables=variables)


def test_the_kept_key_is_sent_to_a_socket_of_the_same_user(
    keeping: Server, socket_path: Path
) -> None:
    done = kept(keeping, socket_path)
    assert (done.returncode, done.stderr) == (0, b"")
    link = socket_path.parent.with_name("link")
    link.symlink_to(socket_path.parent)
    assert kept(keeping, link / socket_path.name).returncode == 0


def test_nothing_is_sent_to_a_stranger(keeping: Server, socket_path: Path) -> None:
    keeping.stop()
    socket_path.parent.chmod(0o777)
    with Trap(path=socket_path) as stranger:
        done = kept(keeping, socket_path)
    assert done.returncode == 69
    assert stranger.received == b""


@pytest.mark.parametrize(
    ("of", "mode", "says"),
    [
        ("socket", 0o620, "others may write to it"),
        ("socket", 0o602, "others may write to it"),
        ("folder", 0o720, "others may write to "),
        ("folder", 0o702, "others may write to "),
    ],
)
def test_the_kept_key_is_not_sent_where_others_may_be(
    keeping: Server, socket_path: Path, of: str, mode: int, says: str
) -> None:
    (socket_path if of == "socket" else socket_path.parent).chmod(mode)
    done = kept(keeping, socket_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (69, 1)
    assert says in done.stderr.decode()
    assert "was not sent" in done.stderr.decode()


def test_in_a_folder_of_all_nobody_removes_anothers(keeping: Server, socket_path: Path) -> None:
    """As in /tmp."""
    socket_path.parent.chmod(0o1777)
    assert kept(keeping, socket_path).returncode == 0


@pytest.mark.parametrize("of", ["socket", "folder", "folder above"])
def test_nor_where_another_user_may_be(
    keeping: Server, socket_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    folder = socket_path.parent
    others = {"socket": socket_path, "folder": folder, "folder above": folder.parent}[of]
    lstat = os.lstat

    def owned(path: str) -> os.stat_result:
        found = list(lstat(path))
        found[stat.ST_UID] += path == str(others)
        return os.stat_result(found)

    key = read_key_file(kept_in(keeping.database))
    client = Client.over(Transport(f"unix:{socket_path}", StoredKey(key, "the file"), 5, 0))
    assert list(client.projects()) == []
    monkeypatch.setattr("agent_task_tracker.plain_url.os.lstat", owned)
    with pytest.raises(Unreachable, match="user's, so another user may listen there"):
        client.stats()


def test_a_key_that_was_chosen_is_sent_where_one_says(socket_path: Path) -> None:
    socket_path.parent.chmod(0o777)
    with Trap(path=socket_path) as stranger:
        Client(stranger.url, KEY, patience=0).start("p", "T", "t", "a")
    assert f"X-API-Key: {KEY}".encode() in stranger.received
    assert b"Host: localhost\r\n" in stranger.received


def test_windows_has_none(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("socket.AF_UNIX")
    with pytest.raises(ClientError, match="this system has no Unix sockets"):
        Client(f"unix:{socket_path}", KEY)
