"""Whose pages may use the API (CORS), and which names the server answers to (DNS rebinding)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support import raw
from tests.support.described import Document
from tests.support.server import KEY, Server

OURS = "http://localhost:5173"
THEIRS = "https://evil.example"
EXPOSED = {
    *("ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After"),
    "X-Request-ID",
}


def preflight(server: Server, path: str, method: str, origin: str, *headers: str) -> httpx.Response:
    """What a browser asks before it sends what a form could not; it never sends a key with it."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ", ".join(headers)
    return httpx.options(server.url + path, headers=asked, trust_env=False, timeout=20)


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


def test_pages_of_allowed_origins_may_send_everything(shared_server: Server) -> None:
    document = Document(shared_server.http.get("/openapi.json").json())
    for operation in document.operations:
        answer = preflight(
            *(shared_server, operation.url, operation.method, OURS),
            *("x-api-key", "content-type", "idempotency-key", "if-none-match", "last-event-id"),
        )
        assert answer.status_code == 200, operation
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert operation.method in answer.headers["Access-Control-Allow-Methods"]
        allowed = names(answer.headers["Access-Control-Allow-Headers"])
        assert allowed >= {"x-api-key", "content-type", "idempotency-key"}, operation
        assert int(answer.headers["Access-Control-Max-Age"]) >= 600


@pytest.mark.parametrize(
    "origin",
    [THEIRS, "http://localhost:1234", "https://localhost:5173", "null", OURS + ".evil.example"],
)
def test_pages_of_other_origins_may_not(shared_server: Server, origin: str) -> None:
    for answer in (
        preflight(shared_server, "/webhook/start", "POST", origin, "x-api-key"),
        shared_server.http.get("/api/projects", headers={"Origin": origin}),
        shared_server.http.post("/webhook/start", json={}, headers={"Origin": origin}),
    ):
        # The browser then keeps the answer from the page, or does not even ask.
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Methods" not in answer.headers


def test_a_page_may_read_answers_and_failures_with_their_headers(shared_server: Server) -> None:
    own = shared_server.http
    stranger = {"X-API-Key": "wrong", "Origin": OURS}
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    for answer, status in (
        (own.get("/api/projects", headers={"Origin": OURS}), 200),
        (own.post("/webhook/status", json=body, headers={"Origin": OURS}), 200),
        (own.get("/health", headers={"Origin": OURS}), 200),
        (own.get("/api/projects", headers=stranger), 401),
        (own.post("/webhook/start", json={}, headers=stranger), 401),
        (own.get("/api/nothing", headers={"Origin": OURS}), 404),
        (own.put("/api/projects", headers={"Origin": OURS}), 405),
        (own.post("/webhook/start", json={}, headers={"Origin": OURS}), 422),
        (own.get("/api/events?since=x", headers={"Origin": OURS}), 422),
    ):
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == OURS, answer.request.url
        assert "Origin" in answer.headers["Vary"]
        exposed = names(answer.headers["Access-Control-Expose-Headers"])
        assert exposed >= {name.lower() for name in EXPOSED}
        # The key is sent on purpose; what a browser adds by itself is never let in by CORS.
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_caches_are_told_that_reads_depend_on_the_origin(shared_server: Server) -> None:
    for headers in ({}, {"Origin": OURS}, {"Origin": THEIRS}):
        answer = shared_server.http.get("/api/projects", headers=headers)
        assert "Origin" in answer.headers["Vary"]


def test_only_a_preflight_needs_no_key(shared_server: Server) -> None:
    for headers in ({}, {"Origin": OURS}):
        answer = httpx.options(
            shared_server.url + "/api/projects", headers=headers, trust_env=False
        )
        assert answer.status_code == 401


def test_origins_are_those_of_the_setting(start_server: Callable[..., Server]) -> None:
    server = start_server(
        "--cors-origin", "https://a.example", "--cors-origin", "https://b.example"
    )
    for origin in ("https://a.example", "https://b.example"):
        answer = preflight(server, "/webhook/start", "POST", origin, "x-api-key")
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    answer = preflight(server, "/webhook/start", "POST", OURS, "x-api-key")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_any_origin_where_that_is_wanted(start_server: Callable[..., Server]) -> None:
    server = start_server(variables={"TRACKER_CORS_ORIGINS": "*"})
    for origin in (THEIRS, "null"):
        answer = preflight(server, "/api/projects", "GET", origin, "x-api-key")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        read = server.http.get("/api/projects", headers={"Origin": origin})
        assert read.headers["Access-Control-Allow-Origin"] == "*"


def asked_of(server: Server, host: str) -> int:
    """The status of an answer to a request for the host, and to a webhook."""
    statuses = {
        server.http.request(method, path, headers={"Host": host}).status_code
        for method, path in (("GET", "/db-check"), ("GET", "/api/stats"), ("GET", "/docs"))
    }
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    posted = server.http.post("/webhook/status", json=body, headers={"Host": host})
    (status,) = statuses | {posted.status_code}
    return status


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST", "LocalHost:1", "127.0.0.1", "127.0.0.1:80"),
        *("[::1]", "[::1]:8000"),
    ],
)
def test_the_names_of_this_machine_are_answered_to(shared_server: Server, host: str) -> None:
    assert asked_of(shared_server, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "evil-localhost"),
        *("[::2]", "[::1].evil.example", "::1", "127.0.0.2", "0", "*", "", ":8000", "[", "[::1"),
        *("user@localhost", "localhost:port", "localhost:80:80", "localhost, evil.example"),
    ],
)
def test_no_other_name_is_answered_to(shared_server: Server, host: str) -> None:
    assert asked_of(shared_server, host) == 400


def test_a_request_without_a_host_is_refused(shared_server: Server) -> None:
    request = f"GET /api/stats HTTP/1.0\r\nX-API-Key: {KEY}\r\n\r\n".encode()
    assert raw.exchange(shared_server, request).status == 400


def test_names_are_those_of_the_setting(start_server: Callable[..., Server]) -> None:
    server = start_server("--allowed-host", "Tracker.example", "--allowed-host", "other.example")
    for host, status in {
        "tracker.example": 200,
        "TRACKER.EXAMPLE:443": 200,
        "127.0.0.1": 200,
        "localhost": 200,
        "sub.tracker.example": 400,
    }.items():
        assert asked_of(server, host) == status, host


def test_beyond_loopback_any_name_is_answered_to_unless_set(
    start_server: Callable[..., Server],
) -> None:
    options: dict[str, Any] = {"key": "a-key-that-is-long-enough"}
    assert asked_of(start_server("--host", "0.0.0.0", **options), "any.example") == 200
    server = start_server("--host", "0.0.0.0", "--allowed-host", "tracker.example", **options)
    assert asked_of(server, "tracker.example") == 200
    assert asked_of(server, "localhost") == 200
    assert asked_of(server, "any.example") == 400


def test_bound_to_ipv6(start_server: Callable[..., Server]) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    server = start_server("--host", "::1")
    assert server.url.startswith("http://[::1]:")
    assert asked_of(server, server.url.removeprefix("http://")) == 200
    assert asked_of(server, "[::2]:80") == 400
