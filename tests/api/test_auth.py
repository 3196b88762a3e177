"""The API key: the ways to send it, how it is compared, and where it never shows."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client

from tests.support import raw
from tests.support.clocked import ClockedServer
from tests.support.server import KEY, Server
from tracker.auth import holders

REQUESTS = [
    *(("GET", "/api/stats"), ("GET", "/api/nothing"), ("PUT", "/api/stats")),
    *(("GET", "/api/events?limit=x"), ("POST", "/webhook/start"), ("GET", "/health")),
]
BODY = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}


def ways_to_send(key: str) -> list[dict[str, Any]]:
    return [
        {"headers": {"X-API-Key": key}},
        {"headers": {"Authorization": f"Bearer {key}"}},
        {"headers": {"Authorization": f"bearer {key}"}},
        {"params": {"api_key": key}},
    ]


def keyless(server: Server | ClockedServer) -> httpx.Client:
    """A client that sends no key by itself."""
    return httpx.Client(base_url=server.url, trust_env=False, timeout=20)


@pytest.fixture
def stranger(shared_server: Server) -> Iterator[httpx.Client]:
    with keyless(shared_server) as client:
        yield client


@pytest.mark.parametrize("way", ways_to_send(KEY))
def test_ways_to_send_the_key(stranger: httpx.Client, way: dict[str, Any]) -> None:
    assert stranger.get("/api/projects", **way).status_code == 200
    assert stranger.post("/webhook/start", json=BODY, **way).is_success
    assert stranger.delete("/api/projects/p/tasks/t", **way).status_code == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {"X-API-Key": ""}},
        {"headers": {"X-API-Key": KEY[:-1]}},
        {"headers": {"X-API-Key": KEY + "x"}},
        {"headers": {"X-API-Key": KEY.upper()}},
        {"headers": {"X-API-Key": "ключ".encode()}},
        {"headers": {"X-API-Key": b"\xff"}},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": f"Basic {KEY}"}},
        {"headers": {"Authorization": KEY}},
        {"headers": {"Cookie": f"api_key={KEY}"}},
        {"params": {"api_key": ""}},
        {"params": {"api_key": "\0"}},
        {"params": {"key": KEY}},
        # What a proxy adds does not stand for it.
        {"headers": {"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"}},
    ],
)
def test_what_is_not_the_key(stranger: httpx.Client, wrong: dict[str, Any]) -> None:
    for answer in (
        stranger.get("/api/projects", **wrong),
        stranger.post("/webhook/start", json=BODY, **wrong),
    ):
        # The latter after many of them.
        refused = (401, "UNAUTHORIZED"), (429, "RATE_LIMITED")
        assert (answer.status_code, answer.json()["error"]["code"]) in refused


def test_nothing_is_recorded_without_the_key(stranger: httpx.Client, project: str) -> None:
    stranger.post("/webhook/start", json={**BODY, "project": project})
    answer = stranger.get(f"/api/projects/{project}/tasks", headers={"X-API-Key": KEY})
    assert answer.status_code == 404


def test_it_is_asked_for_before_anything_is_read(shared_server: Server) -> None:
    announced = b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    with raw.connect(shared_server) as connection:
        connection.sendall(b"POST /webhook/start HTTP/1.1\r\nHost: localhost\r\n" + announced)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_it_is_compared_in_constant_time(
    clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    class Watched:
        @staticmethod
        def compare_digest(given: bytes, own: bytes) -> bool:
            compared.append(given)
            assert own == KEY.encode()
            return hmac.compare_digest(given, own)

    monkeypatch.setattr(holders, "hmac", Watched)
    with keyless(clocked) as stranger:
        for guess in (KEY, "guess"):
            for way in ways_to_send(guess):
                compared.clear()
                answers = [
                    stranger.get("/api/projects", **way),
                    stranger.post("/webhook/start", json=BODY, **way),
                ]
                assert {answer.is_success for answer in answers} == {guess == KEY}
                assert compared.count(guess.encode()) >= len(answers)


def test_it_never_shows(start_server: Callable[..., Server]) -> None:
    wrong = "a-key-somebody-guessed"
    server = start_server("--log-level", "debug", variables={"SECRET_KEY": "secret-of-the-suite"})
    answers = []
    with keyless(server) as stranger:
        for key in (KEY, wrong):
            for way in ways_to_send(key):
                answers += [stranger.request(*asked, **way) for asked in REQUESTS]
            to_another = {"X-API-Key": key, "Host": "evil.example"}
            answers.append(stranger.get("/api/stats", headers=to_another))
            with websockets.sync.client.connect(f"{server.ws_url}/ws?api_key={key}"):
                pass
            no_http = f"GET /?api_key={key} HTTP/3\r\nX-API-Key: {key}\r\n\r\n"
            raw.exchange(server, no_http.encode())
            raw.exchange(server, raw.request("GET", f"/?api_key={key}" + "x" * 70_000))
    for answer in answers:
        shown = answer.text + str(answer.headers)
        assert KEY not in shown
        assert wrong not in shown
    assert server.stop() == 0
    for secret in (KEY, wrong, "secret-of-the-suite"):
        assert secret not in server.log


@pytest.mark.parametrize(
    "key", ["ключ-от-сервера", "key with a tab\t", "key-and-\u00e9", " spaces "]
)
def test_a_key_that_no_header_carries_is_refused_at_once(tmp_path: Path, key: str) -> None:
    with pytest.raises(AssertionError, match=r"exit code 78(.|\n)*API_KEY: holds characters"):
        Server.start(tmp_path, key=key)


def test_a_kept_key_that_no_header_carries_is_refused_at_once(tmp_path: Path) -> None:
    kept = tmp_path / "tracker.db.api-key"
    kept.write_text("ключ-от-сервера", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"exit code 78(.|\n)*holds characters"):
        Server.start(tmp_path, key=None)
