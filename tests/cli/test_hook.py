"""`tracker hook`: what an agent notices of it, which is nothing, and what becomes of its events."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_task_tracker.address import Address
from agent_task_tracker.connections import Connection
from agent_task_tracker.courier import Courier
from agent_task_tracker.credentials import ExplicitKey
from agent_task_tracker.hook_request import HookRequest
from agent_task_tracker.report import Report, name_of
from agent_task_tracker.sender import Sender, patient
from agent_task_tracker.spool import Spool
from tests.cli.test_spool_delivery import free_port
from tests.support.certificates import Pair
from tests.support.hooks import (
    EVENT,
    HANGS,
    KEY,
    Answer,
    Home,
    HookServer,
    command,
    recorded,
    refusal,
    refused,
)
from tests.support.platforms import needs_posix
from tests.support.reporting import files
from tests.support.server import COMMAND, Server, wait_for
from tests.support.server import KEY as SERVER_KEY
from tests.support.trap import Trap, reply

pytestmark = needs_posix

SILENT = (0, b"", b"")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.end()


def noticed(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    """What the agent sees."""
    return done.returncode, done.stdout, done.stderr


def test_an_event_is_sent_at_once_and_leaves_nothing(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        (got,) = home.told(server)
    assert got.path == "/hooks/claude-code"
    assert got.body == EVENT
    assert got.headers["x-api-key"] == KEY
    assert got.headers["content-type"] == "application/json"
    assert got.context["version"] == 1
    assert got.context["cwd"] == str(home.folder)
    assert got.context["pid"] == os.getpid()


def test_an_agent_that_is_not_connected_is_left_alone(home: Home) -> None:
    assert noticed(home.hook()) == SILENT
    home.connect("http://127.0.0.1:9", "codex")
    assert noticed(home.hook()) == SILENT
    assert not home.spool.exists()


@pytest.mark.parametrize("is_connected", [True, False])
def test_cline_gets_the_answer_that_it_demands(home: Home, *, is_connected: bool) -> None:
    if is_connected:
        home.connect(f"http://127.0.0.1:{free_port()}", "cline")
    done = home.hook({"hookName": "TaskStart", "taskId": "1"}, "cline")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"cancel": False}, b"")


def test_without_a_server_it_waits_and_is_delivered_when_there_is_one(home: Home) -> None:
    port = free_port()
    home.connect(f"http://127.0.0.1:{port}")
    for number in range(3):
        assert noticed(home.hook({**EVENT, "prompt": f"{number}"})) == SILENT
    assert [report["payload"]["prompt"] for report in home.waiting] == ["0", "1", "2"]
    assert len(home.senders) == 1
    with HookServer(port=port) as server:
        assert [got.body["prompt"] for got in home.told(server, 3)] == ["0", "1", "2"]
    wait_for(lambda: not home.senders, what="the sender to end when all is sent")


def hangs(_connection: socket.socket, _server: HookServer) -> bytes:
    """Until the agent's patience would have ended long ago, if the hook waited."""
    threading.Event().wait(3)
    return b""


def breaks_off(connection: socket.socket, _server: HookServer) -> bytes:
    connection.shutdown(socket.SHUT_RDWR)
    return b""


def raw(content: bytes) -> Callable[..., bytes]:
    return lambda _connection, _server: content


@pytest.mark.parametrize(
    "answer",
    [
        refused("401 Unauthorized", "UNAUTHORIZED"),
        refused("403 Forbidden", "FORBIDDEN"),
        refused("404 Not Found", "NOT_FOUND"),
        refused("429 Too Many Requests", "RATE_LIMITED", "Retry-After: 1000"),
        refused("500 Internal Server Error", "INTERNAL_ERROR"),
        refused("503 Service Unavailable", "SERVICE_UNAVAILABLE"),
        refused("400 Bad Request", "BAD_REQUEST"),
        raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno!"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<html>sign in</html>\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\r\n\r\n"),
        raw(
            b"HTTP/1.1 302 Found\r\nLocation: http://tracker.example/\r\nContent-Length: 0\r\n\r\n"
        ),
        raw(b"\x00\xff rubbish \r\n\r\n" * 10_000),
        raw(b"x" * 1_000_000),
        hangs,
        breaks_off,
    ],
)
def test_whatever_the_server_does_the_agent_notices_nothing_and_the_event_is_kept(
    home: Home, answer: Answer
) -> None:
    with HookServer(answer) as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        assert [report["payload"] for report in home.waiting] == [EVENT]
        home.end()
        server.answer = recorded  # and then it has it once, by whoever comes next
        assert noticed(home.hook({**EVENT, "prompt": "next"})) == SILENT
        prompts = [got.body["prompt"] for got in home.told(server, 2)]
        assert prompts == ["Mend the build", "next"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("400 Bad Request", "INVALID_JSON"), ("422 Unprocessable Entity", "VALIDATION_ERROR")],
)
def test_what_can_never_be_taken_is_put_aside_and_blocks_nothing(
    home: Home, status: str, code: str
) -> None:
    with HookServer(refused(status, code)) as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        wait_for(lambda: (home.spool / "rejected").exists() and not home.waiting, 30)
        server.answer = recorded
        assert noticed(home.hook({**EVENT, "prompt": "next"})) == SILENT
        assert [got.body["prompt"] for got in home.told(server)] == ["next"]
    (aside,) = (home.spool / "rejected").iterdir()
    content = json.loads(aside.read_bytes())
    assert content["report"]["kind"] == "hook"
    assert status[:3] in content["rejected"]["reason"]
    done = subprocess.run(
        [*COMMAND, "flush", "--url", server.url],
        env={**home.environment, "API_KEY": "a-key-of-somebody"},
        capture_output=True,
        check=False,
    )
    assert b"rejected: hook of claude-code session s-1: " in done.stdout


def test_an_answer_that_is_lost_makes_no_second_event(home: Home) -> None:
    def lost(connection: socket.socket, server: HookServer) -> bytes:
        answer = recorded(connection, server)
        if not server.got:
            threading.Timer(0.1, connection.shutdown, [socket.SHUT_RDWR]).start()
            return answer[:20].replace(b"\r\n", b"")
        return answer

    with HookServer(lost) as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        home.told(server)
        first, second = server.got[:2]
        assert (first.path, first.body, first.context) == (
            second.path,
            second.body,
            second.context,
        )


def test_a_stranger_at_the_port_gets_neither_key_nor_event(home: Home) -> None:
    with HookServer(key="att_somebody's") as stranger:
        home.connect(stranger.url)
        assert noticed(home.hook()) == SILENT
        home.end()
        assert set(stranger.targets) == {"GET /proof"}
        assert KEY.encode() not in stranger.received
        assert b"Mend" not in stranger.received
    assert len(home.waiting) == 1


def test_a_unix_socket_is_trusted_if_nobody_else_can_have_made_it(home: Home) -> None:
    folder = home.folder / "run"
    folder.mkdir(mode=0o700)
    path = folder / "s"
    with HookServer(path=path) as server:
        path.chmod(0o600)
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        home.told(server)
        path.chmod(0o777)
        assert noticed(home.hook()) == SILENT
        assert len(home.waiting) == 1
        home.end()
        assert len(server.recorded) == 1


def test_a_server_elsewhere_is_left_to_the_sender_in_the_background(home: Home) -> None:
    """127.0.0.2 is no name of this machine that is sent to at once."""
    with HookServer(host="127.0.0.2") as server:
        home.connect(server.url)
        assert noticed(home.hook()) == SILENT
        home.told(server)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"rubbish",
        b"[]",
        b"\xff" * 100,
        b"{" * 100_000,
        b'{"session_id": "s-1", "x": "' + b"y" * 9_000_000,
        json.dumps({**EVENT, "tool_response": "z" * 7_000_000}).encode(),
    ],
    ids=["nothing", "rubbish", "a list", "no text", "deep", "too large", "large"],
)
def test_any_input(home: Home, given: bytes) -> None:
    with HookServer() as server:
        home.connect(server.url)
        assert noticed(home.hook(given)) == SILENT
        if given:
            (got,) = home.told(server)
            assert got.context["cut"] is True
            assert got.body.get("session_id") in (None, "s-1")
    assert bool(server.got) == bool(given)


def test_an_agent_that_keeps_the_pipe_open_is_not_waited_for(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        with subprocess.Popen(
            command("claude-code"), stdin=subprocess.PIPE, env=home.environment
        ) as process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(EVENT).encode())
            process.stdin.flush()
            assert process.wait(HANGS) == 0
        assert [got.body for got in home.told(server)] == [EVENT]


def test_a_payload_in_the_arguments(home: Home) -> None:
    payload = {"type": "agent-turn-complete", "thread-id": "t-1"}
    with HookServer() as server:
        home.connect(server.url, "codex")
        done = subprocess.run(
            command("codex", json.dumps(payload)),
            env=home.environment,
            capture_output=True,
            check=False,
            timeout=HANGS,
        )
        assert noticed(done) == SILENT
        assert [got.body for got in home.told(server)] == [payload]


def test_an_agent_without_payloads_is_told_by_where_it_works(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url, "aider")
        assert noticed(home.hook(b"", "aider")) == SILENT
        (got,) = home.told(server)
    assert (got.path, got.body) == ("/hooks/aider", {})
    assert got.context["cwd"] == str(home.folder)


def closed() -> None:
    for descriptor in range(3):
        os.close(descriptor)


def without_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_closed_streams(home: Home) -> None:
    home.connect(f"http://127.0.0.1:{free_port()}", "claude-code", "cline")
    for agent in ("claude-code", "cline"):
        done = subprocess.run(
            command(agent),
            env=home.environment,
            preexec_fn=closed,
            timeout=HANGS,
            check=False,
        )
        assert done.returncode == 0


def test_without_room_on_the_disk_it_is_sent_all_the_same(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        # Once, unless the machine is so busy that there is no time for it.
        wait_for(lambda: noticed(home.hook(preexec_fn=without_room)) == SILENT and server.got, 60)
        assert home.waiting == []


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"[]", b'{"version":2,"connections":{}}', None]
)
def test_connections_that_cannot_be_read(home: Home, content: bytes | None) -> None:
    home.connections.parent.mkdir()
    if content is None:
        home.connections.mkdir()
    else:
        home.connections.write_bytes(content)
    assert noticed(home.hook()) == SILENT
    assert home.waiting == []


def test_without_a_home(home: Home) -> None:
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": home.environment["PYTHONPATH"]}
    done = subprocess.run(
        command("claude-code"),
        input=json.dumps(EVENT).encode(),
        env={**bare, "XDG_CONFIG_HOME": str(home.folder)},
        capture_output=True,
        timeout=HANGS,
        check=False,
    )
    assert noticed(done) == SILENT


def test_a_spool_that_cannot_be_made(home: Home) -> None:
    home.connect(f"http://127.0.0.1:{free_port()}")
    home.spool.write_text("a file")
    assert noticed(home.hook()) == SILENT
    assert home.spool.read_text() == "a file"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_it_waits_for_its_input(home: Home, number: signal.Signals) -> None:
    home.connect(f"http://127.0.0.1:{free_port()}")
    with subprocess.Popen(
        command("claude-code"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=home.environment,
    ) as process:
        stat = Path(f"/proc/{process.pid}/status")
        wanted = 1 << (signal.SIGTERM - 1)
        wait_for(lambda: _mask(stat.read_text(), "SigCgt") & wanted, what="its handlers")
        process.send_signal(number)
        assert process.wait(HANGS) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""


def _mask(status: str, name: str) -> int:
    return int(status.partition(f"{name}:")[2].split()[0], 16)


def test_a_private_agent_tells_no_texts(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url, private=True)
        assert noticed(home.hook()) == SILENT
        (got,) = home.told(server)
    assert got.body == {
        name: EVENT[name] for name in ("session_id", "prompt_id", "hook_event_name")
    }
    assert got.context["private"] is True


def test_secrets_are_in_no_file_and_in_no_request(home: Home) -> None:
    secret = "abcdefghij0123456789"
    payload = {**EVENT, "prompt": f"use sk-{secret}", "tool_input": {"password": secret}}
    variables = {"MY_TOKEN": secret}
    with HookServer(refused("503 Service Unavailable")) as server:
        home.connect(server.url)
        assert noticed(home.hook(payload, variables=variables)) == SILENT
        home.end()
        assert all(secret.encode() not in path.read_bytes() for path in files(home.spool))
        assert secret.encode() not in server.received
        assert all(KEY.encode() not in path.read_bytes() for path in files(home.spool))


def test_claude_s_hook_that_another_connected_agent_runs_tells_nothing(home: Home) -> None:
    """Cursor runs Claude's hooks, too."""
    payload = {**EVENT, "cursor_version": "3.7"}
    with HookServer() as server:
        home.connect(server.url, "claude-code", "cursor")
        assert noticed(home.hook(payload)) == SILENT
        assert server.got == []
        home.connect(server.url, "claude-code")
        assert noticed(home.hook(payload)) == SILENT
        home.told(server)


def test_the_agent_is_found_behind_shells(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        line = " ".join([*command("claude-code"), "; true"])
        subprocess.run(
            ["sh", "-c", f"bash -c '{line}'; true"],
            input=json.dumps(EVENT).encode(),
            env=home.environment,
            check=True,
            timeout=HANGS,
        )
        (got,) = home.told(server)
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert (got.context["pid"], got.context["started"]) == (os.getpid(), stat[19])


def test_many_at_once_are_told_once_each(home: Home) -> None:
    with HookServer() as server:
        home.connect(server.url)
        processes = []
        for number in range(12):
            process = subprocess.Popen(
                command("claude-code"), stdin=subprocess.PIPE, env=home.environment
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps({**EVENT, "prompt": str(number)}).encode())
            process.stdin.close()
            processes.append(process)
        assert [process.wait(HANGS) for process in processes] == [0] * 12
        prompts = sorted(int(got.body["prompt"]) for got in home.told(server, 12))
    assert prompts == list(range(12))


@pytest.fixture
def stopped(home: Home, start_server: Callable[..., Server]) -> Server:
    """A server that an agent is connected to, and that is not there at the moment."""
    port = free_port()
    server = start_server("--port", str(port))
    key = server.http.post("/api/keys", json={"name": "hook", "role": "report"}).json()["key"]
    server.stop()
    home.connect(server.url, key=key)
    assert noticed(home.hook()) == SILENT
    home.end()
    assert len(home.waiting) == 1
    return server


def test_over_tls_it_is_told_in_the_background_to_who_is_vouched_for(
    home: Home, start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["EC"].flags)
    key = server.http.post("/api/keys", json={"name": "hook", "role": "report"}).json()["key"]
    home.connect(server.url, key=key, ca_file=str(pairs["RSA"].certificate))
    assert noticed(home.hook()) == SILENT
    assert len(home.waiting) == 1
    home.end()
    assert taken(server) == []
    home.connect(server.url, key=key, ca_file=str(pairs["EC"].certificate))
    assert noticed(home.hook({**EVENT, "hook_event_name": "Stop"})) == SILENT
    wait_for(lambda: not home.waiting, 30)
    assert taken(server) == [("claude-code", 2)]


@contextmanager
def running(server: Server, variables: Mapping[str, str]) -> Iterator[Server]:
    """The same server once more."""
    port = str(server.ready["port"])
    again = Server.start(server.folder, "--port", port, variables=variables)
    try:
        yield again
    finally:
        again.stop()


def taken(server: Server) -> list[tuple[str, int]]:
    """Agents, and how many events of each the server was told."""
    agents = server.http.get("/api/agents").json()["agents"]
    return [(agent["agent"], agent["payloads"]) for agent in agents]


def test_a_server_takes_at_its_start_what_waits_for_connected_agents(
    home: Home, stopped: Server
) -> None:
    with running(stopped, home.variables) as server:
        wait_for(lambda: not home.waiting, 30)
        assert taken(server) == [("claude-code", 1)]
        assert noticed(home.hook()) == SILENT
        wait_for(lambda: not home.waiting, 30)
        assert taken(server) == [("claude-code", 2)]


def test_flush_delivers_what_waits_for_connected_agents(home: Home, stopped: Server) -> None:
    elsewhere = {name: f"{value}.other" for name, value in home.variables.items()}
    with running(stopped, elsewhere) as server:
        done = subprocess.run(
            [*COMMAND, "flush"],
            env={**home.environment, "TRACKER_URL": server.url, "API_KEY": SERVER_KEY},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"1 reports delivered")
        assert taken(server) == [("claude-code", 1)]
    assert home.waiting == []


def test_what_is_kept_holds_back_its_own_session_only(home: Home) -> None:
    """Reports of a job and events of sessions, for the same server and key, in order."""
    spool, to = Spool(home.spool), Connection("http://127.0.0.1:9", KEY).destination
    requests: list[str] = []

    def answer(_connection: object, request: bytes) -> bytes:
        target = request.split()[1].decode()
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        if target == "/webhook/batch":
            requests.append(f"{len(body['reports'])} reports")
            return reply({"results": [{"status": 200}] * len(body["reports"])})
        requests.append(f"{target} {body['n']}")
        if target == "/hooks/newer":
            return refusal("404 Not Found", "NOT_FOUND")
        return reply({"status": "recorded", "event_ids": []})

    for number, kind in enumerate(["status", "newer", "status", "status", "newer", "codex"]):
        name = name_of(number, 1, 0, "status" if kind == "status" else "hook")
        if kind == "status":
            spool.put(Report(name, "p", "t", b'{"kind":"status","project":"p","task_id":"t"}'), to)
        else:
            request = HookRequest(kind, f"key-{number}", "{}", b'{"n": %d}' % number)
            spool.put(request.report(name, "s"), to)
    with Trap(answer=answer) as trap:
        courier = Courier(Address(trap.url), ExplicitKey(KEY))
        delivery = Sender(spool, courier, to).deliver(patient(0))
        courier.close()
    assert requests == ["1 reports", "/hooks/newer 1", "2 reports", "/hooks/codex 5"]
    assert delivery is not None
    assert (delivery.sent, delivery.kept, delivery.rejected) == (4, 2, 0)
    assert "upgrade" in str(delivery.problem)
    assert len(files(home.spool)) == 2
