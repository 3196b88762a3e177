"""Requests a minute: counted by window, told in headers, refused past the limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.clocked import ClockedServer
from tests.support.server import Server

STATE = re.compile(r'"(webhook|api)";r=(\d+);t=(\d+)')


class Limited(ClockedServer):
    """Three webhooks and five API requests a minute; `seconds` pass when the test says so."""

    def __init__(self) -> None:
        super().__init__(rate_limit_webhook=3, rate_limit_api=5)
        self.seconds = 1000.0
        self.clock.monotonic = lambda: self.seconds

    def read(self) -> httpx.Response:
        return self.http.get("/api/stats")


@pytest.fixture
def limited() -> Iterator[Limited]:
    server = Limited()
    yield server
    server.stop()


def state(answer: httpx.Response) -> tuple[str, int, int]:
    """The limit's name, what is left of it, and for how many seconds."""
    match = STATE.fullmatch(answer.headers["RateLimit"])
    assert match, answer.headers["RateLimit"]
    return match[1], int(match[2]), int(match[3])


def test_requests_count_down_until_none_is_left(limited: Limited) -> None:
    for left in (2, 1, 0):
        answer = limited.report("start", "p")
        assert answer.is_success
        assert answer.headers["RateLimit-Policy"] == '"webhook";q=3;w=60'
        assert state(answer) == ("webhook", left, 60)
        assert "Retry-After" not in answer.headers
    limited.seconds += 12.5
    for _ in range(2):
        refused = limited.report("start", "p")
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "RATE_LIMITED"
        assert refused.headers["RateLimit-Policy"] == '"webhook";q=3;w=60'
        assert state(refused) == ("webhook", 0, 48)
        assert refused.headers["Retry-After"] == "48"
    assert len(limited.task("p")["events"]) == 3  # what was refused is not recorded


def test_a_window_opens_with_a_request_and_closes_a_minute_later(limited: Limited) -> None:
    limited.seconds += 59  # nothing has opened one yet
    for _ in range(5):
        assert limited.read().status_code == 200
        limited.seconds += 10
    assert limited.read().headers["Retry-After"] == "10"
    limited.seconds += 9.9
    assert limited.read().headers["Retry-After"] == "1"  # rounded up: waiting so long is enough
    limited.seconds += 0.1
    for left in (4, 3, 2, 1, 0):
        assert state(limited.read()) == ("api", left, 60)
    assert limited.read().status_code == 429


def test_waiting_as_told_is_enough(limited: Limited) -> None:
    limited.seconds += 0.123
    for _ in range(5):
        limited.read()
        limited.seconds += 0.777
    refused = limited.read()
    limited.seconds += int(refused.headers["Retry-After"])
    assert limited.read().status_code == 200


def test_webhooks_and_the_rest_are_counted_apart(limited: Limited) -> None:
    for kind in ("start", "status", "finish"):  # of the four, not of each
        assert limited.report(kind, "p").is_success
    assert limited.report("error", "p").status_code == 429
    for path in ("/api/projects", "/api/stats", "/api/events", "/api/websocket/stats"):
        assert limited.http.get(path).status_code == 200
    assert limited.http.get("/api/projects/p/tasks").status_code == 200
    assert limited.http.get("/api/projects/p/tasks").status_code == 429


def test_whoever_has_no_key_uses_up_nothing(limited: Limited) -> None:
    for _ in range(10):
        answer = limited.http.get("/api/stats", headers={"X-API-Key": "wrong"})
        assert answer.status_code == 401
        assert "RateLimit" not in answer.headers
        asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
        assert limited.http.options("/api/stats", headers=asked).status_code == 200
        other = limited.http.get("/api/stats", headers={"Host": "evil.example"})
        assert other.status_code == 400
    assert state(limited.read()) == ("api", 4, 60)


def test_failing_requests_count_too(limited: Limited) -> None:
    answers = [
        limited.http.get("/api/projects/none/tasks"),
        limited.http.get("/api/events?limit=x"),
        limited.http.put("/api/stats"),
        limited.http.get("/api/nothing"),
    ]
    assert [answer.status_code for answer in answers] == [404, 422, 405, 404]
    assert [state(answer)[1] for answer in answers] == [4, 3, 2, 1]
    for _ in range(3):
        limited.http.post("/webhook/start", json={})
    assert limited.report("start", "p").status_code == 429


def test_an_unchanged_answer_counts_and_says_so(limited: Limited) -> None:
    etag = limited.read().headers["ETag"]
    again = limited.http.get("/api/stats", headers={"If-None-Match": etag})
    assert (again.status_code, state(again)[1]) == (304, 3)


def test_checks_and_documentation_are_free(limited: Limited) -> None:
    for path in ("/health", "/db-check", "/redis-check", "/docs", "/redoc", "/openapi.json"):
        for _ in range(10):
            answer = limited.http.get(path)
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers
    assert state(limited.read()) == ("api", 4, 60)


def test_no_limit_where_none_is_wanted(shared_server: Server, project: str) -> None:
    for _ in range(150):
        answer = shared_server.report("status", project)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers
        assert "RateLimit-Policy" not in answer.headers
    assert "RateLimit" not in shared_server.http.get("/api/stats").headers


def test_the_documents_limits_are_the_defaults(start_server: Callable[..., Server]) -> None:
    server = start_server(limits=True)
    for number in range(100):
        assert server.report("status", "p", f"task-{number}").status_code == 200
    refused = server.report("status", "p")
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Policy"] == '"webhook";q=100;w=60'
    policy = server.http.get("/api/stats").headers["RateLimit-Policy"]
    assert policy == '"api";q=1000;w=60'
