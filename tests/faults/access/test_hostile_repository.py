"""A stranger's `.env`: the user works in a cloned repository."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.support.cli import run
from tests.support.client_commands import CLIENT_COMMANDS, OURS
from tests.support.hostile_repository import ADDRESSES, DATABASES, SECRET, Repository
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, STOP, Server, environment, wait_for
from tests.support.trap import Trap
from tracker.cli.group import cli
from tracker.config.settings import default_database

# Of what the commands do: four reports, and a deletion.
EVENTS = 5


class User:
    """Has a server with its default database and the key it made, and clones a repository."""

    def __init__(self, home: Path, start_server: Callable[..., Server]) -> None:
        self.home = home
        self.database = default_database()
        self.database.parent.mkdir(parents=True)
        self.server = start_server(key=None, db=str(self.database))
        kept = self.database.with_name(f"{self.database.name}.api-key")
        self.key = kept.read_text(encoding="utf-8").strip()
        self.server.http.headers["X-API-Key"] = self.key
        self.repository = home / "repository"
        self.repository.mkdir()

    def reports(self) -> int:
        """How many events reached the user's own server."""
        return int(self.server.http.get("/api/events", params={"since": 10**15}).json()["last_id"])


@pytest.fixture
def user(
    tmp_path: Path, start_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> User:
    for name in [name for name in os.environ if name.startswith(("TRACKER_", "API_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    user = User(tmp_path, start_server)
    monkeypatch.chdir(user.repository)
    monkeypatch.setenv("ANOTHER_SECRET", SECRET)
    return user


@pytest.fixture
def repository(user: User) -> Iterator[Repository]:
    with Trap("0.0.0.0") as elsewhere, Trap() as here:
        yield Repository(user.repository, user.database, elsewhere, here)


@needs_posix
@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("given", ["kept", "environment", "flag"])
def test_no_client_command_goes_where_a_strangers_env_says(
    user: User,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    given: str,
) -> None:
    ADDRESSES[address](repository)
    flags = ("--api-key", user.key) if given == "flag" else ()
    if given == "environment":
        monkeypatch.setenv("API_KEY", user.key)
    monkeypatch.setenv("TRACKER_PORT", str(user.server.ready["port"]))
    for command in CLIENT_COMMANDS:
        CliRunner().invoke(cli, [*command, *flags])
    for trap in (repository.elsewhere, repository.here):
        assert trap.received == b""
        assert trap.connections == 0
    without_a_key = ("here, the database in memory", "a host of its own")
    if address not in without_a_key or given != "kept":
        assert user.reports() == EVENTS  # they went to the user's own server


@needs_posix
@pytest.mark.parametrize("way", ["variables", "ready file"])
@pytest.mark.parametrize("chosen", [False, True])
def test_a_strangers_address_gets_a_strangers_key_at_most(
    user: User,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    chosen: bool,
) -> None:
    if way == "variables":
        repository.env(TRACKER_URL=repository.elsewhere.url, API_KEY="a-key-of-the-stranger")
    else:
        repository.ready_file(url=repository.elsewhere.url, key="a-key-of-the-stranger")
        repository.env(TRACKER_READY_FILE="ready.json")
    monkeypatch.setenv("TRACKER_PORT", str(user.server.ready["port"]))
    if chosen:
        monkeypatch.setenv("API_KEY", user.key)
    for command in CLIENT_COMMANDS:
        CliRunner().invoke(cli, command)
    got = repository.elsewhere.received
    assert user.key.encode() not in got
    assert (b"a-key-of-the-stranger" in got) == (not chosen)
    assert (got == b"") == chosen
    assert user.reports() == (EVENTS if chosen else 0)


@needs_posix
@pytest.mark.parametrize("given", ["kept", "environment", "flag"])
@pytest.mark.parametrize("where", ["elsewhere", "here"])
def test_a_ready_file_that_came_with_the_repository_gets_no_key_elsewhere(
    user: User, repository: Repository, monkeypatch: pytest.MonkeyPatch, where: str, given: str
) -> None:
    """Its name is the user's own word, as in the README; its content is not."""
    trap: Trap = getattr(repository, where)
    repository.ready_file(url=trap.url)
    monkeypatch.setenv("TRACKER_READY_FILE", "ready.json")
    flags = ("--api-key", user.key) if given == "flag" else ()
    if given == "environment":
        monkeypatch.setenv("API_KEY", user.key)
    for command in CLIENT_COMMANDS:
        CliRunner().invoke(cli, [*command, *flags])
    if where == "here" and given != "kept":
        return  # the user chose that key, and it stays on this machine
    assert user.key.encode() not in trap.received
    assert OURS.encode() not in trap.received
    assert set(trap.targets) <= {"GET /health", "GET /proof"}


def test_what_is_ignored_is_said_once_and_in_one_line(user: User) -> None:
    (user.repository / ".env").write_text(
        "TRACKER_URL=http://192.0.2.1:1\nTRACKER_DB=../x.db\nTRACKER_PROT=1\n", encoding="utf-8"
    )
    done = run(
        *("wait", "--ready", "--all-finished", "--timeout", "1"),
        home=user.repository,
        variables={"HOME": str(user.home), "TRACKER_PORT": str(user.server.ready["port"])},
    )
    assert done.returncode == 75
    ignored, misspelt, gave_up = done.stderr.decode().splitlines()
    assert ignored.startswith("tracker: warning: .env: TRACKER_URL, TRACKER_DB ignored: ")
    assert misspelt.startswith("tracker: warning: TRACKER_PROT: ")
    assert misspelt.endswith("TRACKER_PORT")
    assert "no task was reported" in gave_up


@needs_posix
@pytest.mark.parametrize("database", DATABASES)
def test_a_server_started_in_a_hostile_repository_is_not_opened(
    user: User, repository: Repository, database: str
) -> None:
    user.server.report("finish", OURS)
    user.server.stop()
    repository.env(
        TRACKER_HOST="0.0.0.0",
        TRACKER_PORT=str(repository.here.port),
        TRACKER_READY_FILE="told.json",
        TRACKER_CORS_ORIGINS="*",
        TRACKER_ALLOWED_HOSTS="*",
        TRACKER_DURABILITY="normal",
        TRACKER_RETAIN_DAYS="0.0000001",
        TRACKER_RETAIN_BYTES="1",
        TRACKER_EPHEMERAL="true",
        API_KEY="a-key-of-the-stranger",
        TRACKER_RATE_LIMIT_API="0",
        TRACKER_DB=DATABASES[database](repository),
    )
    with served(user) as (url, stored, log):
        assert not is_open_beyond(url)
        headers = {"X-API-Key": "a-key-of-the-stranger", "Origin": "https://stranger.example"}
        answer = httpx.get(f"{url}/api/info", headers=headers, trust_env=False)
        assert "Access-Control-Allow-Origin" not in answer.headers
        headers["Host"] = "stranger.example"
        assert httpx.get(f"{url}/api/info", headers=headers).status_code == 400
        info = answer.json()
    assert stored == info["database"]
    assert stored == (":memory:" if database == "in memory" else str(user.database))
    assert info["last_id"] == (0 if database == "in memory" else 1)
    assert info["durability"] == "full"
    limits = info["limits"]
    assert (limits["retain_days"], limits["retain_bytes"]) == (0, 0)
    assert limits["api_requests_per_minute"] == 0  # that any `.env` may say
    assert not (user.repository / "told.json").exists()
    (line,) = [line for line in log.read_text().splitlines() if " WARNING " in line]
    for variable in ("HOST", "READY_FILE", "CORS_ORIGINS", "ALLOWED_HOSTS", "RETAIN_DAYS"):
        assert f"TRACKER_{variable}" in line


@needs_posix
def test_the_own_database_of_an_env_is_not_the_users(user: User) -> None:
    """What it may say for a database of its own, it may not say for another that is in force."""
    (user.repository / ".env").write_text(
        "TRACKER_DB=tracker.db\nTRACKER_CORS_ORIGINS=*\nTRACKER_HOST=0.0.0.0\n", encoding="utf-8"
    )
    others = [{"TRACKER_DB": str(user.home / "mine.db")}, {"TRACKER_EPHEMERAL": "true"}]
    for variables in [{}, *others]:
        with served(user, **variables) as (url, stored, _):
            own = not variables
            assert (stored == str(user.repository / "tracker.db")) == own
            assert is_open_beyond(url) == own
            origin = {"Origin": "https://stranger.example"}
            answer = httpx.get(f"{url}/health", headers=origin, trust_env=False)
            assert ("Access-Control-Allow-Origin" in answer.headers) == own


@needs_posix
def test_no_file_of_the_users_is_overwritten_for_an_env(user: User) -> None:
    mine = user.home / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    (user.repository / ".env").write_text(
        "TRACKER_DB=tracker.db\nTRACKER_READY_FILE=../mine.txt\n", encoding="utf-8"
    )
    with served(user) as (_, stored, log):
        assert stored == str(user.repository / "tracker.db")
        assert "TRACKER_READY_FILE ignored" in log.read_text()
        assert mine.read_text(encoding="utf-8") == "mine"
    assert mine.read_text(encoding="utf-8") == "mine"


@contextmanager
def served(user: User, **variables: str) -> Iterator[tuple[str, str, Path]]:
    """A server that was started in the repository: its address, its database, its log."""
    log = user.home / "log.txt"
    with log.open("w") as stderr:
        process = Process(
            [*COMMAND, "serve", "--port", "0"],
            cwd=user.repository,
            env=environment(user.home, **variables),
            stderr=stderr,
        )
    try:
        listening = wait_for(
            lambda: re.search(r"Listening on (\S+), database (.*)", log.read_text()), 30, "its log"
        )
        yield listening[1], listening[2], log
    finally:
        process.send_signal(STOP)
        assert process.wait(20) == 0, log.read_text()


def is_open_beyond(url: str) -> bool:
    """Whether the server takes connections to another address than that of its loopback."""
    try:
        socket.create_connection(("127.0.0.2", int(url.rpartition(":")[2])), 20).close()
    except ConnectionRefusedError:
        return False
    return True
