"""HEAD is answered as GET, without the body."""

from __future__ import annotations

import pytest

from tests.support.server import Server


@pytest.mark.parametrize(
    "path", ["/health", "/", "/docs", "/api/projects", "/api/stats", "/openapi.json"]
)
def test_head_is_get_without_its_body(shared_server: Server, path: str) -> None:
    got = shared_server.http.get(path)
    head = shared_server.http.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("Content-Type", "Content-Length", "ETag"):
        assert head.headers.get(name) == got.headers.get(name)


def test_head_of_a_stream_ends(shared_server: Server) -> None:
    head = shared_server.http.head("/api/events/stream")
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


def test_head_needs_the_key_where_get_does(shared_server: Server) -> None:
    assert shared_server.http.head("/api/projects", headers={"X-API-Key": ""}).status_code == 401


def test_head_where_there_is_no_get(shared_server: Server) -> None:
    head = shared_server.http.head("/webhook/start")
    assert (head.status_code, head.content) == (405, b"")
