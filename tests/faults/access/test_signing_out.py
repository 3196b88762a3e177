"""A session that was signed out opens nothing any more."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.server import KEY, Server
from tests.support.sessions import SOON, close_code, sign_in, sign_out, socket_of


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
