"""`tracker serve` as a process: how it begins, what it says, what it logs, how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from websockets.sync.client import connect

import tracker
from tests.support.cli import Terminal
from tests.support.cli import run as run_command
from tests.support.platforms import needs_posix
from tests.support.processes import Process
from tests.support.server import COMMAND, KEY, STOP, Server, environment, wait_for

# A stop takes ten seconds at most (docs/contract.md, "Start and stop").
STOP_SECONDS = 10


@contextmanager
def in_background(home: Path, umask: int) -> Iterator[Path]:
    """A server that was started with that umask; its ready file."""
    ready_file = home / "ready.json"
    flags = ("--port", "0", "--db", ":memory:", "--ready-file", str(ready_file))
    process = Process([*COMMAND, "serve", *flags], cwd=home, env=environment(home), umask=umask)
    try:
        wait_for(ready_file.exists, 30, "the ready file")
        yield ready_file
    finally:
        process.send_signal(STOP)
        assert process.wait(20) == 0


# How it begins.


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_says_so_without_the_server(tmp_path: Path, flag: str) -> None:
    done = run_command(flag, home=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tracker.__version__ if flag == "--version" else "serve") in done.stdout.decode()
    assert list(tmp_path.iterdir()) == []


@needs_posix
@pytest.mark.parametrize("arguments", [[], ["--port", "0"], ["serve"], ["serve", "--port", "0"]])
def test_serving_is_what_it_does_alone(tmp_path: Path, arguments: list[str]) -> None:
    terminal = Terminal(
        *arguments,
        home=tmp_path,
        variables={"TRACKER_PORT": "0", "TRACKER_READY_FILE": "ready.json"},
    )
    try:
        terminal.read_until("Press Ctrl-C to stop.")
        ready = json.loads((tmp_path / "ready.json").read_text(encoding="utf-8"))
        assert httpx.get(f"{ready['url']}/health").status_code == 200
        # The user's data directory, which only the user may look into.
        database = Path(ready["db"])
        assert database.is_relative_to(tmp_path)
        assert database.parent.name == "agent-task-tracker"
        assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
    finally:
        terminal.close()


def test_ready_file(start_server: Callable[..., Server]) -> None:
    server = start_server()
    ready = json.loads((server.folder / "ready.json").read_text(encoding="utf-8"))
    port = ready["port"]
    assert ready == {
        "url": f"http://127.0.0.1:{port}",
        "host": "127.0.0.1",
        "port": port,
        "pid": server.process.pid,
        "version": tracker.__version__,
        "db": str(server.database),
    }
    assert port > 0
    assert server.stop() == 0
    assert {path.name for path in server.folder.iterdir()} == {
        "stderr.txt",
        "tracker.db",
        "tracker.db.lock",
        "tracker.db.secret-key",
    }


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start a server on a terminal and read what it prints until it listens."""
    started: list[Terminal] = []

    def start(*flags: str, **variables: str) -> Terminal:
        arguments = ("serve", "--port", "0", "--db", "tracker.db", *flags)
        started.append(Terminal(*arguments, home=tmp_path, variables=variables))
        started[-1].read_until("Press Ctrl-C to stop.")
        return started[-1]

    yield start
    for one in started:
        one.close()


def line(output: str, name: str) -> str:
    """What the start-up text says under this name; '' if nothing."""
    found = re.search(rf"^  {name} +(\S.*?)\r?$", output, re.M)
    return found[1] if found else ""


@needs_posix
@pytest.mark.parametrize("exists", [True, False])
def test_ready_file_is_written_through_no_link(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "something of the user's"
    if exists:
        target.write_text("old", encoding="utf-8")
    (tmp_path / "ready.json").symlink_to(target)
    flags = ("--port", "0", "--db", ":memory:", "--ready-file", "ready.json")
    done = run_command("serve", *flags, home=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert b"ready.json: a link" in done.stderr
    assert target.exists() == exists
    assert not exists or target.read_text(encoding="utf-8") == "old"


@needs_posix
@pytest.mark.parametrize("flag", ["--db", "--ready-file"])
def test_a_name_that_is_too_long_is_told_in_a_line(tmp_path: Path, flag: str) -> None:
    done = run_command("serve", "--port", "0", flag, "x" * 1000, home=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert b"cannot be used: File name too long" in done.stderr


@needs_posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_ready_file_is_for_whom_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    with in_background(tmp_path, umask) as ready_file:
        assert stat.S_IMODE(ready_file.stat().st_mode) == mode


@needs_posix
def test_ready_file_is_there_at_once_and_whole(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    # An old one is replaced, not written over: whoever has it open reads the old one to its end.
    ready = tmp_path / "ready.json"
    old = json.dumps({"url": "http://127.0.0.1:1", "pid": 1})
    ready.write_text(old, encoding="utf-8")
    (tmp_path / "link").hardlink_to(ready)
    one = terminal("--ready-file", "ready.json")
    assert json.loads(ready.read_text(encoding="utf-8"))["url"] == line(one.output, "Address")
    assert (tmp_path / "link").read_text(encoding="utf-8") == old
    one.process.send_signal(signal.SIGTERM)
    one.read_all()
    assert not ready.exists()


@pytest.mark.parametrize("other", [(), ("--ephemeral",), ("--db", ":memory:")], ids=" ".join)
def test_an_old_ready_file_is_gone_before_a_server_that_cannot_start(
    tmp_path: Path, other: tuple[str, ...]
) -> None:
    """Who waits for this one must not find another, of an earlier job, say."""
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 1, "db": ":memory:"}))
    flags = ("--ready-file", str(ready), "--api-key", "short", *other)
    assert run_command("serve", *flags, home=tmp_path).returncode == 78
    assert not ready.exists()


def test_a_file_that_only_looks_like_one_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('["url", "pid"]')
    done = run_command("serve", "--port", "0", "--ready-file", "notes.json", home=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert (tmp_path / "notes.json").read_text() == '["url", "pid"]'


def test_the_ready_file_of_a_server_survives_a_second_start(
    shared_server: Server, tmp_path: Path
) -> None:
    ready = shared_server.folder / "ready.json"
    before = (ready.read_bytes(), ready.stat().st_mode)
    flags = ("--port", "0", "--db", str(shared_server.database), "--ready-file", str(ready))
    assert run_command("serve", *flags, home=tmp_path).returncode == 75
    assert (ready.read_bytes(), ready.stat().st_mode) == before


@needs_posix
def test_start_up_text(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    output = terminal().output
    kept = (tmp_path / "tracker.db.api-key").read_text(encoding="utf-8").strip()
    url = line(output, "Address")
    assert httpx.get(f"{url}/api/stats", headers={"X-API-Key": kept}).status_code == 200
    assert line(output, "Dashboard") == f"{url}/#key={kept}"
    assert line(output, "API docs") == f"{url}/docs"
    assert line(output, "Database") == str(tmp_path / "tracker.db")
    assert line(output, "API key") == f"in {tmp_path / 'tracker.db.api-key'}"
    assert f"Agent Task Tracker {tracker.__version__}" in output
    assert output.count(kept) == 1


@needs_posix
def test_start_up_text_with_a_key_that_is_given(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    key = "a key with #, %, & and +"
    (tmp_path / "tracker.db.api-key").write_text("kept-from-earlier", encoding="utf-8")
    output = terminal(API_KEY=key).output
    url, _, fragment = line(output, "Dashboard").partition("#key=")
    assert url == line(output, "Address") + "/"
    assert unquote(fragment) == key
    assert re.fullmatch(r"[\w%.~-]+", fragment)
    assert line(output, "API key") == ""  # not the one in force


@needs_posix
@pytest.mark.parametrize(
    ("host", "url_host"), [("0.0.0.0", "localhost"), ("localhost", "localhost")]
)
def test_address_is_one_that_can_be_opened(
    terminal: Callable[..., Terminal], host: str, url_host: str
) -> None:
    url = line(terminal("--host", host).output, "Address")
    assert re.fullmatch(rf"http://{url_host}:\d+", url)


@needs_posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_starts_with_nowhere_to_say_so(tmp_path: Path, closed: str) -> None:
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
    server = Server.start(tmp_path / "server", command=(*shell, *COMMAND))
    assert server.report("start", "p").status_code == 201
    assert server.http.get("/nowhere").status_code == 404
    assert server.stop() == 0


# What it logs.


@pytest.mark.parametrize("format_", ["text", "json"])
def test_keys_are_never_logged(start_server: Callable[..., Server], format_: str) -> None:
    server = start_server("--log-level", "debug", "--log-format", format_, key=None)
    secrets = [
        (server.folder / f"tracker.db.{name}").read_text(encoding="utf-8").strip()
        for name in ("api-key", "secret-key")
    ]
    key = secrets[0]
    httpx.get(f"{server.url}/api/stats", params={"api_key": key})
    httpx.get(f"{server.url}/api/stats", headers={"X-API-Key": key})
    httpx.get(f"{server.url}/api/stats", headers={"Authorization": f"Bearer {key}"})
    httpx.get(f"{server.url}/nowhere", params={"api_key": key})
    httpx.post(f"{server.url}/webhook/start", params={"api_key": key}, content=b"{")
    with connect(f"{server.ws_url}/ws?api_key={key}"):
        pass
    with closing(socket.create_connection(("127.0.0.1", server.ready["port"]))) as raw:
        raw.sendall(f"BROKEN /?api_key={key} HTTP\r\nX-API-Key: {key}\r\n\r\n".encode())
        raw.recv(65_536)
    assert server.stop() == 0
    assert f"Listening on {server.url}" in server.log
    assert f"Dashboard on {server.url}/, its key in {server.database}.api-key" in server.log
    for secret in secrets:
        assert secret not in server.log
    assert key[:16] not in server.log
    if format_ == "json":
        for entry in map(json.loads, server.log.splitlines()):
            assert entry.keys() >= {"timestamp", "level", "logger", "message"}
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["timestamp"])


def test_quiet_unless_something_happens(start_server: Callable[..., Server]) -> None:
    server = start_server("--log-level", "warning")
    server.report("start", "p")
    server.http.get("/nowhere")
    assert server.stop() == 0
    assert server.log == ""


# How it ends.


def refuses(server: Server) -> bool:
    """Whether new connections are refused by now."""
    try:
        socket.create_connection(("127.0.0.1", server.ready["port"]), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


signals = pytest.mark.parametrize(
    "signal_", [signal.SIGTERM, signal.SIGINT], ids=lambda s: signal.Signals(s).name
)


@needs_posix
@signals
def test_stop_with_every_kind_of_connection_open(
    start_server: Callable[..., Server], signal_: int
) -> None:
    server = start_server()
    address = ("127.0.0.1", server.ready["port"])
    with (
        httpx.Client(base_url=server.url) as idle,
        connect(f"{server.ws_url}/ws?api_key={KEY}"),
        server.http.stream("GET", "/api/events/stream") as stream,
        closing(socket.create_connection(address)) as in_headers,
        closing(socket.create_connection(address)) as in_body,
        closing(socket.create_connection(address)),
    ):
        idle.get("/health")  # keeps its connection
        head = f"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n".encode()
        in_headers.sendall(head)
        in_body.sendall(head + b'Content-Length: 100\r\n\r\n{"project"')
        assert next(stream.iter_raw()).startswith(b":")  # it is open
        server.process.send_signal(signal_)
        assert server.process.wait(STOP_SECONDS) == 0
    assert "Traceback" not in server.log
    assert not (server.folder / "ready.json").exists()
    assert not server.database.with_name("tracker.db-wal").exists()


@needs_posix
@signals
def test_what_was_received_is_answered(start_server: Callable[..., Server], signal_: int) -> None:
    server = start_server()
    server.report("start", "p")
    answers: list[httpx.Response] = []
    report = threading.Thread(target=lambda: answers.append(server.report("finish", "p")))
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the report has to wait for this
        report.start()
        # Its connection was accepted before these; so it is being worked on.
        for _ in range(3):
            httpx.get(f"{server.url}/health")
        assert report.is_alive()
        server.process.send_signal(signal_)
        wait_for(lambda: refuses(server), what="that it accepts no more")
        assert server.process.poll() is None
    report.join(STOP_SECONDS)
    assert [answer.status_code for answer in answers] == [200]
    assert server.process.wait(STOP_SECONDS) == 0
    with closing(sqlite3.connect(server.database)) as database:
        assert database.execute("SELECT status FROM tasks").fetchone() == ("completed",)


@needs_posix
def test_ctrl_c_on_the_terminal(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    one = terminal()
    one.process.send_signal(signal.SIGINT)
    output = one.read_all()
    assert one.process.returncode == 0
    assert "Traceback" not in output
    assert "Aborted" not in output


@needs_posix
def test_impatient_ctrl_c(start_server: Callable[..., Server]) -> None:
    """The second one does not wait for a client that is stuck."""
    server = start_server()
    with closing(socket.create_connection(("127.0.0.1", server.ready["port"]))) as stuck:
        stuck.sendall(
            f"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n"
            "Content-Length: 9\r\n\r\n{".encode()
        )
        server.http.get("/health")
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: refuses(server), what="that it accepts no more")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(STOP_SECONDS) == 0
    assert "Traceback" not in server.log


def test_stop_and_start_again_and_again(start_server: Callable[..., Server]) -> None:
    server = start_server()
    for number in range(3):
        assert server.report("start", "p", f"task-{number}").json()["event_id"] == number + 1
        assert server.stop() == 0
        server = Server.start(server.folder)
    assert server.http.get("/api/projects").json()["projects"][0]["task_count"] == 3
    assert server.stop() == 0
