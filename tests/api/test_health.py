"""`/health`, `/db-check`, `/redis-check`: checks that are made, not claimed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import tracker
from tests.support.clocked import ClockedServer
from tests.support.server import Server
from tracker.store.sqlite import health
from tracker.store.sqlite.connection import open_writer

NOW = "2024-01-15T10:00:00.000Z"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program holds the database's write lock."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def test_health(clocked: ClockedServer) -> None:
    expected = {"status": "healthy", "timestamp": NOW, "version": tracker.__version__}
    assert httpx.get(f"{clocked.url}/health").json() == expected


def test_db_check(server: Server) -> None:
    server.report("start", "p")
    answer = server.http.get("/db-check").json()
    assert (answer["status"], answer["database"]) == ("connected", "sqlite")
    assert answer["sqlite_version"].startswith("3.")
    size = (
        server.database.stat().st_size + server.database.with_name("tracker.db-wal").stat().st_size
    )
    assert 0 < answer["size_bytes"] <= size
    assert answer["wal_size_bytes"] > 0


def test_db_check_in_memory(clocked: ClockedServer) -> None:
    answer = clocked.get("/db-check")
    assert (answer["status"], answer["database"]) == ("connected", "sqlite")
    assert (answer["timestamp"], answer["wal_size_bytes"]) == (NOW, 0)
    assert answer["size_bytes"] > 0


def test_db_check_writes(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "tracker.db", "full")
    log = tmp_path / "tracker.db-wal"
    before, content = log.stat().st_size, connection.execute("SELECT * FROM marks").fetchall()
    health.write(connection, 0)
    assert log.stat().st_size > before
    assert connection.execute("SELECT * FROM marks").fetchall() == content
    connection.close()


def test_while_the_database_is_locked(start_server: Callable[..., Server]) -> None:
    server = start_server()
    with locked(server.database):
        assert server.http.get("/health").json()["status"] == "healthy"
        answer = server.http.get("/db-check")
        assert server.http.get("/redis-check").status_code == 200
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    content = answer.json()
    assert (content["status"], content["database"]) == ("error", "sqlite")
    assert "Another program" in content["message"]
    assert server.http.get("/db-check").status_code == 200


def test_redis_check(clocked: ClockedServer) -> None:
    assert clocked.get("/redis-check") == {
        "status": "connected",
        "redis_version": None,
        "backend": "in-process",
        "timestamp": NOW,
    }


def test_redis_check_that_fails(clocked: ClockedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hub whose wake-up reaches nobody.
    monkeypatch.setattr(clocked.app.hub, "_wake", lambda: None)
    answer = clocked.http.get("/redis-check")
    assert answer.status_code == 503
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize("path", ["/db-check", "/redis-check"])
def test_only_liveness_is_open(shared_server: Server, path: str) -> None:
    assert httpx.get(shared_server.url + path).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/db-check", "/redis-check"])
def test_checks_are_not_limited(start_server: Callable[..., Server], path: str) -> None:
    flags: tuple[Any, ...] = ("--rate-limit-api", "1", "--rate-limit-webhook", "1")
    server = start_server(*flags, limits=True)
    for _ in range(3):
        answer = server.http.get(path)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers
