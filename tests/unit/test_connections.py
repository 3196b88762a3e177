"""`connections.json`, and where servers are by what is written in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_task_tracker import connections, user_folders
from agent_task_tracker.address import Address
from agent_task_tracker.connections import Connection
from agent_task_tracker.credentials import ExplicitKey, StoredKey, of_connection
from agent_task_tracker.destination import destination
from agent_task_tracker.errors import ClientError
from agent_task_tracker.plain_url import PORTS, is_near, plain
from tests.support.hooks import KEY
from tests.support.platforms import needs_posix

ENTRY: dict[str, Any] = {"url": "http://127.0.0.1:8000", "key": KEY, "changed": [{"file": "x"}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "connections.json"


def test_what_is_saved_is_loaded_with_all_that_is_in_it(file: Path) -> None:
    assert connections.load(str(file)) == {}
    connections.save(str(file), {"codex": ENTRY})
    assert connections.load(str(file)) == {"codex": ENTRY}
    assert connections.connection(ENTRY) == Connection("http://127.0.0.1:8000", KEY)


@needs_posix
def test_it_is_the_user_s_alone_and_its_links_stay(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles" / "connections.json"
    file.parent.mkdir()
    file.symlink_to(elsewhere)
    connections.save(str(file), {"codex": ENTRY})
    assert file.is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.parent.stat().st_mode) == 0o700
    assert [path.name for path in elsewhere.parent.iterdir()] == ["connections.json"]
    assert connections.load(str(file)) == {"codex": ENTRY}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"version":1,"connections":[]}', '{"connections":{}}',
                '{"version":2,"connections":{}}', '{"version":1,"connections":{"a":1}}', "[" * 9999]
)  # fmt: skip
def test_what_is_no_such_file_is_said(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(ClientError):
        connections.load(str(file))


@pytest.mark.parametrize(
    "change", [{"url": None}, {"key": 7}, {"key": "a\r\nX: y"}, {"key": "ü" * 9}]
)
def test_an_entry_that_cannot_be_used_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        connections.connection({**ENTRY, **change})


def test_options_that_cannot_be_read_are_private() -> None:
    assert connections.connection({**ENTRY, "options": {"private": True}}).private
    assert connections.connection({**ENTRY, "options": "private"}).private
    assert not connections.connection({**ENTRY, "options": {}}).private


def test_a_generated_key_has_to_be_proven_on_this_machine() -> None:
    here, elsewhere = (Connection(url, KEY) for url in ("http://[::1]:1", "https://h.example"))
    assert isinstance(of_connection(here), StoredKey)
    assert isinstance(of_connection(elsewhere), ExplicitKey)
    assert isinstance(of_connection(Connection("http://[::1]:1", "chosen")), ExplicitKey)
    for connection in (here, elsewhere, Connection("http://h.example", "chosen")):
        assert connection.destination.key_id == of_connection(connection).key_id


def test_those_of_a_server(file: Path) -> None:
    other = {**ENTRY, "url": "http://127.0.0.1:8001"}
    broken = {**ENTRY, "url": "ftp://x"}
    connections.save(str(file), {"codex": ENTRY, "cline": other, "goose": broken, "aider": {}})
    variables = {"TRACKER_CONNECTIONS": str(file)}
    found = connections.to_server(variables, {destination("http://localhost:8000", "").address})
    assert found == [connections.connection(ENTRY)]


@needs_posix
def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platformdirs

    for name in ("XDG_CONFIG_HOME", "TRACKER_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = platformdirs.user_config_path("agent-task-tracker", appauthor=False)
    assert connections.path({}) == str(folder / "connections.json")
    assert connections.path({"TRACKER_CONNECTIONS": "/x/y.json"}) == "/x/y.json"
    assert json.dumps(user_folders.configuration({"XDG_CONFIG_HOME": "/c"}))[1:3] == "/c"


hosts = st.sampled_from(
    [
        "localhost",
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "[2001:db8::1]",
        "h.example",
        "H.Example",
        "a-b",
    ]
)
ports = st.sampled_from(["", ":1", ":80", ":443", ":8000", ":65535", ":65536", ":0", ":x"])
paths = st.sampled_from(["", "/", "/a", "/a/", "/a/b.c", "/ä", "/a//b", "/%41", "?x=1", "/a#b"])


@given(st.sampled_from(["http", "https", "HTTP", "ftp"]), hosts, ports, paths)
def test_plain_addresses_are_read_as_all_are(scheme: str, host: str, port: str, path: str) -> None:
    url = f"{scheme}://{host}{port}{path}"
    place = plain(url)
    if place is None:
        return
    address = Address(url)
    assert place == (
        address.scheme,
        address.host,
        address.port or PORTS[address.scheme],
        address.prefix,
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_what_is_near(host: str) -> None:
    assert is_near(f"http://{host}:8000")
    assert is_near(f"http://{host}/tracker")
    assert not is_near(f"https://{host}:8000")
    assert not is_near(f"http://{host}.example:8000")
