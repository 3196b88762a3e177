"""`GET /proof`, and the clients that ask for it before they show a key they found."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_task_tracker.client import Client
from agent_task_tracker.credentials import StoredKey
from agent_task_tracker.errors import Unreachable
from agent_task_tracker.keys import is_generated
from agent_task_tracker.proof import canonical, decode_nonce, encode, is_proof, key_id, proof
from agent_task_tracker.transport import Transport
from tests.support.cli import package_environment
from tests.support.clocked import ClockedServer
from tests.support.markdown import Document
from tests.support.server import KEY, Server
from tests.support.trap import Trap, reply

NONCE = bytes(range(16))


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = Server.start(tmp_path_factory.mktemp("proving"), key=None)
    yield server
    server.stop()


def ask(url: str, **query: Any) -> httpx.Response:
    return httpx.get(f"{url}/proof", params=query, trust_env=False)


def test_a_proof_is_what_the_documentation_says(proving: Server) -> None:
    key = proving.kept_key
    secret = hashlib.sha256(key.encode()).digest()
    id_ = hashlib.sha256(b"tracker-key-id" + secret).hexdigest()[:16]
    nonce = urlsafe_b64encode(NONCE).rstrip(b"=").decode()
    answer = ask(proving.url, key_id=id_, nonce=nonce)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    message = b"tracker-proof\x10" + NONCE + f"127.0.0.1 {proving.ready['port']}".encode()
    expected = hmac.digest(secret, message, "sha256")
    assert urlsafe_b64decode(answer.json()["proof"] + "=") == expected


def test_the_example_in_the_documentation_works(proving: Server, tmp_path: Path) -> None:
    (block,) = [block for block in Document("docs/api.md").blocks if block.language == "python"]
    code = f"{block.code}\nprint(has_key('127.0.0.1', PORT, KEY))"
    for key, said in ((proving.kept_key, "True"), (secrets.token_urlsafe(32), "False")):
        done = subprocess.run(
            [sys.executable, "-c", f"PORT = {proving.ready['port']}; KEY = {key!r}\n{code}"],
            check=True,
            cwd=tmp_path,
            env=package_environment(tmp_path),
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == said


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "127.0.0.3"])
def test_a_client_finds_the_proof_true_however_the_server_is_bound(
    start_server: Callable[..., Server], host: str
) -> None:
    server = start_server("--host", host, key=None)
    reached = {"0.0.0.0": ["127.0.0.1", "127.0.0.3"], "::": ["[::1]"], "::1": ["[::1]"]}
    for address in reached.get(host, [host]):
        url = f"http://{address}:{server.ready['port']}"
        transport = Transport(url, StoredKey(server.kept_key, "a file"), 10, 0)
        assert list(Client.over(transport).projects()) == []


def test_no_chosen_key_is_proven(start_server: Callable[..., Server], server: Server) -> None:
    made = secrets.token_urlsafe(32)
    while not is_generated(made):
        made = secrets.token_urlsafe(32)
    for chosen in (KEY, made):
        one = server if chosen == KEY else start_server(key=chosen)
        answer = ask(one.url, key_id=key_id(chosen), nonce=encode(NONCE))
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_a_kept_key_that_a_person_put_there_is_not_proven(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "server0").mkdir()
    (tmp_path / "server0" / "tracker.db.api-key").write_text("my own key 123\n", encoding="utf-8")
    server = start_server(key=None)
    answer = ask(server.url, key_id=key_id("my own key 123"), nonce=encode(NONCE))
    assert answer.status_code == 404


def test_the_kept_key_is_proven_also_if_the_shell_has_exported_it(
    start_server: Callable[..., Server],
) -> None:
    first = start_server(key=None)
    first.stop()
    again = Server.start(first.folder, key=first.kept_key)
    try:
        answer = ask(again.url, key_id=key_id(first.kept_key), nonce=encode(NONCE))
        assert answer.status_code == 200
    finally:
        again.stop()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "key_id"),
        ({"key_id": "0" * 16}, "nonce"),
        ({"key_id": "0" * 15, "nonce": encode(NONCE)}, "key_id"),
        ({"key_id": "G" * 16, "nonce": encode(NONCE)}, "key_id"),
        ({"key_id": "0" * 16, "nonce": encode(NONCE[:15])}, "nonce"),
        ({"key_id": "0" * 16, "nonce": encode(bytes(65))}, "nonce"),
        ({"key_id": "0" * 16, "nonce": "A" * 25}, "nonce"),
        ({"key_id": "0" * 16, "nonce": encode(NONCE) + "=="}, "nonce"),
        ({"key_id": "0" * 16, "nonce": "+" * 22}, "nonce"),
        ({"key_id": "0" * 16, "nonce": "я" * 22}, "nonce"),
        ({"key_id": "0" * 16, "nonce": "A" * 22 + "\n"}, "nonce"),
    ],
)
def test_what_is_not_understood_is_422(proving: Server, query: dict[str, str], field: str) -> None:
    answer = ask(proving.url, **query)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field


@pytest.mark.parametrize("size", [16, 33, 64])
def test_nonces_of_every_size_come_through(proving: Server, size: int) -> None:
    nonce = secrets.token_bytes(size)
    assert decode_nonce(encode(nonce)) == nonce
    key, port = proving.kept_key, proving.ready["port"]
    given = ask(proving.url, key_id=key_id(key), nonce=encode(nonce)).json()["proof"]
    assert is_proof(given, key, nonce, "127.0.0.1", port)
    assert not is_proof(given, key, nonce[:-1], "127.0.0.1", port)
    assert not is_proof(given, key, nonce, "127.0.0.2", port)
    assert not is_proof(given, key, nonce, "127.0.0.1", port + 1)
    assert not is_proof(given, KEY, nonce, "127.0.0.1", port)


@pytest.mark.parametrize("given", [None, 1, [], "", "é", "A" * 43])
def test_what_is_no_proof(given: object) -> None:
    assert not is_proof(given, KEY, NONCE, "127.0.0.1", 1)


def test_an_address_has_one_form() -> None:
    for one, other in (("::ffff:127.0.0.1", "127.0.0.1"), ("::1%lo", "::1"), ("0:0::1", "::1")):
        assert canonical(one) == canonical(other)
        assert proof(KEY, NONCE, one, 1) == proof(KEY, NONCE, other, 1)


def test_it_needs_no_key_and_has_no_limit(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-api", "1", key=None, limits=True)
    for _ in range(20):
        answer = ask(server.url, key_id=key_id(server.kept_key), nonce=encode(NONCE))
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("client", "server", "status"),
    [
        (("127.0.0.1", 5), ("127.0.0.1", 8000), 200),
        (("::ffff:127.0.0.1", 5), ("::ffff:127.0.0.1", 8000), 200),
        (("::1", 5), ("::1", 8000), 200),
        (("192.0.2.1", 5), ("127.0.0.1", 8000), 404),
        (("127.0.0.1", 5), ("192.0.2.1", 8000), 404),
        (("::ffff:192.0.2.1", 5), ("::ffff:192.0.2.1", 8000), 404),
        (None, ("127.0.0.1", 8000), 404),
        (("127.0.0.1", 5), ("/a/socket", None), 404),
        (("", 0), ("127.0.0.1", 8000), 404),
    ],
    ids=str,
)
def test_only_this_machine_is_answered(
    tmp_path: Path, client: Any, server: Any, status: int
) -> None:
    running = ClockedServer(tmp_path / "tracker.db", api_key=None)
    try:
        query = f"key_id={key_id(running.app.keys.api)}&nonce={encode(NONCE)}"
        assert asyncio.run(status_of(running, client, server, query)) == status
    finally:
        running.stop()


async def status_of(running: ClockedServer, client: Any, server: Any, query: str) -> int:
    """What a connection between these two ends is answered."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/proof",
        "raw_path": b"/proof",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": client,
        "server": server,
    }
    await running.app.asgi(scope, receive, send)
    return int(sent[0]["status"])


# What a client makes of the answer.


def answering(content: Callable[[bytes, int], object], *headers: str) -> Any:
    """What a trap answers to a request for a proof, given the nonce and its own port."""

    def answer(connection: socket.socket, request: bytes) -> bytes:
        if not request.startswith(b"GET /proof?"):
            return reply({"projects": [], "total": 0}, *headers)
        nonce = request.split(b"nonce=")[1].split(b" ")[0].decode()
        return reply(content(decode_nonce(nonce), connection.getsockname()[1]), *headers)

    return answer


MADE = "vTAbM3gmJ9yqkGUi6pb0hVYtvYhyAClmN9YxnJ2yGOE"


def projects_with_kept_key(url: str) -> list[Any]:
    return list(Client.over(Transport(url, StoredKey(MADE, "the file"), 5, 0)).projects())


def true_proof(nonce: bytes, port: int) -> dict[str, str]:
    return {"proof": proof(MADE, nonce, "127.0.0.1", port)}


def test_the_key_follows_the_proof_on_the_same_connection() -> None:
    with Trap(answer=answering(true_proof)) as server:
        assert projects_with_kept_key(server.url) == []
    assert (server.targets, server.connections) == (["GET /proof", "GET /api/projects"], 1)
    before, _, after = server.received.partition(b"GET /api/projects")
    assert MADE.encode() not in before
    assert MADE.encode() in after


def test_the_key_does_not_follow_on_another_connection() -> None:
    """Between the two, the port may have been taken."""
    with (
        Trap(answer=answering(true_proof, "Connection: close")) as server,
        pytest.raises(Unreachable),
    ):
        projects_with_kept_key(server.url)
    assert server.targets == ["GET /proof"]
    assert MADE.encode() not in server.received


@pytest.mark.parametrize(
    "content",
    [
        lambda _nonce, _port: {},
        lambda _nonce, _port: [],
        lambda _nonce, _port: None,
        lambda _nonce, _port: {"proof": None},
        lambda _nonce, _port: {"proof": "A" * 43},
        lambda _nonce, _port: {"proof": "A" * 100_000},
        lambda nonce, port: {"proof": proof(MADE + "x", nonce, "127.0.0.1", port)},
        lambda nonce, port: {"proof": proof(MADE, nonce, "127.0.0.1", port + 1)},
        lambda nonce, port: {"proof": proof(MADE, nonce, "127.0.0.2", port)},
        lambda nonce, port: {"proof": proof(MADE, nonce[::-1], "127.0.0.1", port)},
    ],
)
def test_without_a_true_proof_nothing_follows(content: Any) -> None:
    with (
        Trap(answer=answering(content)) as server,
        pytest.raises(Unreachable, match="did not prove"),
    ):
        projects_with_kept_key(server.url)
    assert server.targets == ["GET /proof"]
    assert MADE.encode() not in server.received


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n[[[[[",
    ],
    ids=lambda answer: answer[9:25],
)
def test_other_programs_get_nothing(answer: bytes) -> None:
    with (
        Trap(answer=lambda _connection, _request: answer) as program,
        pytest.raises(Unreachable),
    ):
        projects_with_kept_key(program.url)
    assert program.targets == ["GET /proof"]
    assert MADE.encode() not in program.received


# Which keys a server can have made.


def test_every_key_that_a_server_makes_looks_like_it() -> None:
    for _ in range(10_000):
        assert is_generated(secrets.token_urlsafe(32))


@pytest.mark.parametrize(
    "chosen",
    [
        *("", KEY, "short", "A" * 43, "aA" * 21 + "A", MADE + "A", MADE[:-1], f"{MADE}\n"),
        MADE[:-1] + "B",  # more bits than 256
        "correct-horse-battery-staple-and-some-more-"[:43],
        "CORRECT-HORSE-BATTERY-STAPLE-AND-SOME-MORE0"[:43],
        MADE.replace("v", "я"),
    ],
)
def test_what_a_person_chose_does_not(chosen: str) -> None:
    assert not is_generated(chosen)
