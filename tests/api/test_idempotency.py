"""`Idempotency-Key`: a report sent twice is recorded once (docs/contract.md, "Webhooks")."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from tests.support.clocked import ClockedServer
from tests.support.server import Server, wait_for
from tracker.domain.idempotency import LIFETIME_MS, idempotency
from tracker.domain.tasks import Kind, Report
from tracker.store.changes import WriteRequest
from tracker.store.sqlite import idempotency_keys, reports
from tracker.store.sqlite.connection import open_writer

KEY = "key-1"


def post(
    server: Server | ClockedServer,
    kind: str,
    project: str,
    *,
    key: str | bytes = KEY,
    content: str | None = None,
    **fields: Any,
) -> httpx.Response:
    error = {"error_type": "E", "error_message": "failed"} if kind == "error" else {}
    body = {"project": project, "task": "T", "task_id": "t", "agent": "a", **error, **fields}
    return server.http.post(
        f"/webhook/{kind}",
        content=content or json.dumps(body),
        headers={"Idempotency-Key": key},
    )


def event_count(server: Server | ClockedServer, project: str) -> int:
    answer = server.http.get("/api/events", params={"project": project, "limit": 1000})
    return len(answer.json()["events"])


def assert_replayed(first: httpx.Response, second: httpx.Response) -> None:
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (second.status_code, second.json()) == (first.status_code, first.json())


def assert_reused(answer: httpx.Response) -> None:
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert "new key" in error["message"]
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("kind", ["start", "status", "finish", "error"])
def test_same_body_gets_the_first_answer_again(clocked: ClockedServer, kind: str) -> None:
    first = post(clocked, kind, "p")
    assert first.is_success
    clocked.clock.advance(seconds=90)
    assert_replayed(first, post(clocked, kind, "p"))
    assert event_count(clocked, "p") == 1
    assert clocked.task("p", "t")["updated_at"] == "2024-01-15T10:00:00.000Z"


def test_first_answer_stands_whatever_came_between(clocked: ClockedServer) -> None:
    post(clocked, "start", "p", key="another")
    clocked.clock.advance(seconds=30)
    first = post(clocked, "finish", "p", result="r")
    clocked.clock.advance(seconds=30)
    post(clocked, "start", "p", key="a third")
    assert_replayed(first, post(clocked, "finish", "p", result="r"))
    assert first.json()["duration_seconds"] == 30
    task = clocked.task("p", "t")
    assert (task["status"], task["attempt"], len(task["events"])) == ("running", 2, 3)


@pytest.mark.parametrize(
    "again",
    [
        lambda server: post(server, "start", "p", agent="other"),
        lambda server: post(server, "start", "other"),
        lambda server: post(server, "status", "p"),  # the same body to another webhook
    ],
    ids=["other body", "other project", "other webhook"],
)
def test_another_request_is_refused(
    clocked: ClockedServer, again: Callable[[ClockedServer], httpx.Response]
) -> None:
    first = post(clocked, "start", "p")
    assert_reused(again(clocked))
    assert clocked.get("/api/events")["last_id"] == 1
    assert_replayed(first, post(clocked, "start", "p"))


def test_refusal_spares_the_reports_beside_it(shared_server: Server, project: str) -> None:
    post(shared_server, "start", project, key=project)

    def send(number: int) -> httpx.Response:
        if number % 5:
            return shared_server.report("start", project, f"task-{number}")
        return post(shared_server, "start", project, key=project, agent=f"agent {number}")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(50)))
    assert [answer.status_code for answer in answers] == [
        201 if number % 5 else 422 for number in range(50)
    ]
    assert event_count(shared_server, project) == 41


def test_refused_report_leaves_its_key_free(clocked: ClockedServer) -> None:
    assert post(clocked, "start", "p", agent="").status_code == 422
    answer = post(clocked, "start", "p")
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)


def test_different_keys_are_different_reports(clocked: ClockedServer) -> None:
    answers = [post(clocked, "status", "p", key=key) for key in ("a", "A", "a a", "b")]
    assert [answer.json()["event_id"] for answer in answers] == [1, 2, 3, 4]


@pytest.mark.parametrize("key", ["x", "k" * 255, 'with spaces; and = "quotes"', "\xe9"])
def test_keys_taken(clocked: ClockedServer, key: str) -> None:
    first = post(clocked, "start", "p", key=key.encode("latin-1"))
    assert_replayed(first, post(clocked, "start", "p", key=key.encode("latin-1")))


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_keys_refused(clocked: ClockedServer, key: str) -> None:
    answer = post(clocked, "start", "p", key=key)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["field"] == "Idempotency-Key"
    assert clocked.get("/api/events")["last_id"] == 0


def test_key_is_kept_for_24_hours(clocked: ClockedServer) -> None:
    first = post(clocked, "status", "p")
    clocked.clock.advance(days=1)
    assert_replayed(first, post(clocked, "status", "p"))
    clocked.clock.advance(milliseconds=1)
    new = post(clocked, "status", "p", agent="other")  # now it may also name another request
    assert (new.status_code, new.json()["event_id"]) == (200, 2)
    clocked.clock.advance(days=1)
    assert_replayed(new, post(clocked, "status", "p", agent="other"))


def test_key_outlives_the_server(start_server: Callable[..., Server]) -> None:
    server = start_server()
    first = post(server, "finish", "p", duration_seconds=5)
    server.stop()
    again = start_server(db=str(server.database))
    assert_replayed(first, post(again, "finish", "p", duration_seconds=5))
    assert_reused(post(again, "finish", "p", duration_seconds=6))
    assert event_count(again, "p") == 1


def test_key_outlives_the_task(clocked: ClockedServer) -> None:
    first = post(clocked, "start", "p")
    assert clocked.http.delete("/api/projects/p").status_code == 204
    assert_replayed(first, post(clocked, "start", "p"))
    assert clocked.get("/api/projects")["total"] == 0


def test_parallel_requests_of_one_key_are_one_event(shared_server: Server, project: str) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: post(shared_server, "start", project, key=project), range(50))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert event_count(shared_server, project) == 1


def test_keys_past_their_lifetime_go_in_small_steps() -> None:
    with closing(open_writer(None, "full")) as connection:
        for number in range(25):
            report = Report(Kind.STATUS, "p", f"t{number}", "T", "a")
            key = idempotency(0, f"key {number}", report, b"")
            reports.record(connection, number, [WriteRequest(report, key)])
        now = LIFETIME_MS + 20  # twenty are too old
        left = []
        done = False
        while not done:
            done = idempotency_keys.delete_expired(connection, now, 8)
            left.append(connection.execute("SELECT count(*) FROM idempotency").get)
        assert left == [17, 9, 5]


def test_a_running_server_forgets_them(tmp_path: Path) -> None:
    first = ClockedServer(tmp_path / "tracker.db")
    post(first, "status", "p")
    first.stop()
    with closing(apsw.Connection(str(tmp_path / "tracker.db"))) as connection:
        connection.execute("UPDATE idempotency SET expires_at = expires_at - 86400001")
    second = ClockedServer(tmp_path / "tracker.db")
    try:
        with closing(apsw.Connection(str(tmp_path / "tracker.db"))) as connection:
            count = "SELECT count(*) FROM idempotency"
            wait_for(lambda: connection.execute(count).get == 0, what="the old key to go")
    finally:
        second.stop()
