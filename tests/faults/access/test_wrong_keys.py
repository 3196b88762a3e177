"""Wrong keys are logged and slowed, and starve nobody."""

from __future__ import annotations

import json
import re
import socket
from contextlib import closing

import httpx
from websockets.sync.client import connect

from tests.support import raw
from tests.support.raw import HOST
from tests.support.server import KEY, Server
from tests.support.sessions import SOON, close_code, sign_in, sign_out


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
        odd.sendall(raw.head("GET", "/", (HOST, b"Connection: Upgrade", b"Upgrade: odd")) * 20)
        odd.shutdown(socket.SHUT_WR)
        raw.read_all(odd)
    for broken in (
        b"broken\r\n\r\n",
        raw.head("GET", "/", (HOST, b"X: \x01")),
        raw.head("GET", "http://x/", (HOST,)),
    ):
        assert raw.exchange(server, broken).status == 400
    of_the_start = (" INFO Listening ", " INFO Dashboard ")
    assert [
        line for line in server.log.splitlines() if not any(map(line.count, of_the_start))
    ] == []


def test_a_session_that_is_over_is_no_guess(server: Server) -> None:
    """A page that was signed out asks a few times more before it knows."""
    ended = sign_in(server)
    sign_out(server, ended, "?all")
    with httpx.Client(base_url=server.url, headers=ended, trust_env=False) as page:
        assert {page.get("/api/projects").status_code for _ in range(30)} == {401}
    assert "Wrong API keys" not in server.log
