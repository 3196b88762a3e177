"""`POST /webhook/batch`: many reports in one request (docs/contract.md, "Webhooks")."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import apsw
import httpx
import pytest

from tests.support.server import Server


def report(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    names = {"project": "batch", "task": "T", "task_id": f"t{number}", "agent": "a"}
    return {"kind": kind, **names, **fields}


def send(server: Server, reports: Any, **headers: str) -> httpx.Response:
    return server.http.post("/webhook/batch", json={"reports": reports}, headers=headers)


def statuses(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [result["status"] for result in answer.json()["results"]]


def test_each_is_taken_by_itself_and_in_order(server: Server) -> None:
    answer = send(
        server,
        [
            report("start", 1),
            report("status", 1, progress=50),
            report("status", 2, progress=500),
            report("start", 1, task_id=""),
            report("finish", 1, result="done"),
            report("error", 3, error_type="E", error_message="M"),
            report("begin", 4),
            "a report",
            report("start", 1),
        ],
    )
    assert statuses(answer) == [201, 200, 422, 422, 200, 200, 422, 422, 200]
    results = answer.json()["results"]
    assert [result.get("event_id") for result in results] == [1, 2, None, None, 3, 4, None, None, 5]
    assert results[0]["message"] == "Task started successfully"
    assert results[4]["duration_seconds"] >= 0
    assert [result["error"]["details"]["field"] for result in results if "error" in result] == [
        *("progress", "task_id", "kind", "report"),
    ]
    assert server.task("batch", "t1")["attempt"] == 2
    events = server.http.get("/api/events").json()["events"]
    assert [event["id"] for event in events] == [1, 2, 3, 4, 5]


def test_what_was_taken_is_durable_when_the_answer_comes(tmp_path: Any) -> None:
    server = Server.start(tmp_path)
    assert statuses(send(server, [report("start", n) for n in range(500)])) == [201] * 500
    server.stop(9)
    with closing(apsw.Connection(str(server.database))) as connection:
        assert connection.execute("SELECT count(*) FROM events").get == 500


def test_it_is_one_request_to_the_limit(start_server: Callable[..., Server]) -> None:
    server = start_server("--rate-limit-webhook", "2")
    answer = send(server, [report("start", n) for n in range(100)])
    assert answer.headers["RateLimit"].startswith('"webhook";r=1')
    assert statuses(send(server, [report("status", 1)])) == [200]
    assert send(server, [report("status", 1)]).status_code == 429


def test_idempotency_keys_are_each_reports_own(server: Server) -> None:
    batch = [report("start", 1, idempotency_key="one"), report("status", 1, idempotency_key="two")]
    first = send(server, [*batch, report("status", 1, idempotency_key="two")]).json()["results"]
    again = send(server, batch).json()["results"]
    assert [result["event_id"] for result in first] == [1, 2, 2]
    assert [result.get("replayed") for result in first] == [None, None, True]
    assert again == [{**result, "replayed": True} for result in first[:2]]
    other = report("status", 1, progress=7, idempotency_key="one")
    assert statuses(send(server, [other])) == [422]
    wrong = [report("start", 9, idempotency_key=key) for key in ("", "k" * 256, 7)]
    assert statuses(send(server, wrong)) == [422] * 3
    assert "idempotency_key" in send(server, batch, **{"Idempotency-Key": "x"}).text
    assert server.http.get("/api/events").json()["last_id"] == 2


@pytest.mark.parametrize(
    "content",
    [b"{}", b'{"reports": {}}', b'{"reports": null}', b"[]", b'{"reports": [{"kind": "start"'],
)
def test_what_is_no_batch(server: Server, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.http.post("/webhook/batch", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert server.http.get("/api/events").json()["last_id"] == 0


def test_too_many_and_none(server: Server) -> None:
    answer = send(server, [report("start", n) for n in range(501)])
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "reports"
    assert statuses(send(server, [])) == []
    assert server.http.get("/api/events").json()["last_id"] == 0


def test_while_the_database_is_locked_nothing_is_said_to_be_taken(server: Server) -> None:
    send(server, [report("start", 1)])
    with closing(apsw.Connection(str(server.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = send(server, [report("status", 1), report("status", 2)])
        other.execute("ROLLBACK")
    assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (503, True)
    assert statuses(send(server, [report("status", 1), report("status", 2)])) == [200, 200]
