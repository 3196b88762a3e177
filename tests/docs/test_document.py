"""Every example of the user's API document works as printed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support import document
from tests.support.server import KEY, Server, wait_for

WEBHOOKS = ("start", "status", "error", "finish")
PROJECT = document.request("POST /webhook/start")["project"]


def heading(kind: str) -> str:
    return f"POST /webhook/{kind}"


def post(server: Server, kind: str, **changes: Any) -> httpx.Response:
    """The document's request of this webhook, with changes."""
    return server.http.post(f"/webhook/{kind}", json=document.request(heading(kind)) | changes)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has been sent the document's four requests; the tests only read from it."""
    server = Server.start(tmp_path_factory.mktemp("document") / "server")
    for kind in WEBHOOKS:
        assert post(server, kind).is_success
    yield server
    server.stop()


def get(server: Server, path: str) -> dict[str, Any]:
    answer = server.http.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("kind", WEBHOOKS)
def test_webhook(server: Server, kind: str) -> None:
    # Each alone on a fresh server: none needs another one before it.
    answer = post(server, kind)
    expected = document.response(heading(kind))
    assert answer.status_code == (201 if kind == "start" else 200)
    assert answer.headers["Content-Type"] == "application/json"
    actual = answer.json()
    document.assert_like(actual, expected)
    assert abs(document.moment(actual["timestamp"]).timestamp() - time.time()) < 60
    assert actual | {"timestamp": ""} == expected | {"timestamp": "", "event_id": 1}


def test_webhooks_in_the_order_of_a_day(told: Server) -> None:
    task = told.task(PROJECT, "task-123")
    finish = document.request(heading("finish"))
    assert (task["status"], task["progress"]) == ("completed", 100)
    assert task["title"] == finish["task"]
    assert task["agent"] == finish["agent"]
    assert task["result"] == finish["result"]
    assert task["duration_seconds"] == finish["duration_seconds"]
    # Of all three reports that had some.
    assert task["metadata"] == {
        **document.request(heading("start"))["metadata"],
        **document.request(heading("error"))["metadata"],
        **finish["metadata"],
    }
    assert len(task["events"]) == 4


def test_reported_error_is_kept_word_for_word(server: Server) -> None:
    post(server, "error")
    request = document.request(heading("error"))
    task = server.task(PROJECT, "task-123")
    for name in ("error_type", "error_message", "stack_trace", "metadata"):
        assert task[name] == request[name]
    assert task["status"] == "failed"


def test_projects(told: Server) -> None:
    name = "GET /api/projects"
    expected = document.response(name)
    actual = get(told, "/api/projects")
    document.assert_like(actual, expected)
    assert {key: actual[key] for key in ("limit", "offset")} == document.defaults(name)
    assert actual["total"] == expected["total"]
    (project,) = actual["projects"]
    assert project["name"] == PROJECT
    assert (project["task_count"], project["active_tasks"]) == (1, 0)


def test_tasks(told: Server) -> None:
    name = "GET /api/projects/{project_name}/tasks"
    expected = document.response(name)
    actual = get(told, f"/api/projects/{PROJECT}/tasks?status=completed")
    document.assert_like(actual, expected)
    assert {key: actual[key] for key in ("limit", "offset")} == document.defaults(name)
    assert actual["filters"] == expected["filters"]
    assert actual["total"] == expected["total"]
    (task,), (expected_task,) = actual["tasks"], expected["tasks"]
    for key in ("task_id", "title", "status", "progress", "agent"):
        assert task[key] == expected_task[key]


def test_stats(told: Server) -> None:
    actual = get(told, "/api/stats")
    document.assert_like(actual, document.response("GET /api/stats"))
    assert actual["overview"] == {
        "total_projects": 1,
        "total_tasks": 1,
        "active_tasks": 0,
        "completed_tasks": 1,
        "failed_tasks": 0,
    }
    assert actual["performance"]["success_rate"] == 100.0
    assert actual["performance"]["total_duration"] == 3450
    assert [agent["name"] for agent in actual["agents"]] == ["claude-3-5-sonnet"]


def test_project_stats(told: Server) -> None:
    actual = get(told, f"/api/stats/projects/{PROJECT}")
    document.assert_like(actual, document.response("GET /api/stats/projects/{project_name}"))
    assert actual["project"] == PROJECT
    assert (actual["task_stats"]["total"], actual["task_stats"]["completed"]) == (1, 1)
    (day,) = actual["timeline"]
    assert (day["completed"], day["failed"]) == (1, 0)


def test_health(told: Server) -> None:
    expected = document.response("GET /health")
    actual = httpx.get(f"{told.url}/health").json()  # without a key
    document.assert_like(actual, expected)
    assert actual["status"] == expected["status"]
    assert actual["version"] == told.ready["version"]


def test_db_check(told: Server) -> None:
    expected = document.response("GET /db-check")
    actual = get(told, "/db-check")
    document.assert_like(actual, expected)
    assert (actual["status"], actual["database"]) == (expected["status"], document.DATABASE)


def test_redis_check(told: Server) -> None:
    expected = document.response("GET /redis-check") | {"redis_version": document.NO_REDIS}
    actual = get(told, "/redis-check")
    document.assert_like(actual, expected)
    assert actual["status"] == expected["status"]


def socket_url(server: Server) -> str:
    """The document's address of the WebSocket, with our host, key and project."""
    printed = document.section("WebSocket эндпоинт").strip().strip("`")
    filled = printed.replace("<your-api-key>", KEY).replace("<project-name>", PROJECT)
    return filled.replace("ws://localhost:8000", server.ws_url)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("start", "task_started"),
        ("status", "task_status_updated"),
        ("finish", "task_finished"),
        ("error", "task_error"),
    ],
)
def test_websocket_message(shared_server: Server, kind: str, type_: str) -> None:
    expected = document.example(type_)
    fields = {
        name: expected["data"][name]
        for name in ("result", "error_type", "error_message", "progress", "message")
        if name in expected["data"]
    }
    task_id = f"{expected['data']['task_id']} of {kind}"  # a task of this test's own
    if kind == "finish":
        fields["duration_seconds"] = expected["data"]["duration_seconds"]
    with connect(socket_url(shared_server)) as socket:
        post(shared_server, kind, task_id=task_id, **fields)
        actual = json.loads(socket.recv(timeout=20))
    document.assert_like(actual, expected)
    assert actual["type"] == type_
    determined = {"task_id": task_id}
    if "started_at" in expected["data"]:
        determined["started_at"] = actual["timestamp"]
    assert {**actual["data"]} == {**actual["data"], **expected["data"], **determined}


def only_one_socket(server: Server) -> dict[str, Any] | None:
    stats = get(server, "/api/websocket/stats")
    return stats if stats["total_connections"] == 1 else None


def test_websocket_stats(shared_server: Server) -> None:
    with connect(socket_url(shared_server)):
        # The sockets of earlier tests may still be on their way out.
        actual = wait_for(lambda: only_one_socket(shared_server), what="a single socket")
    expected = document.response("GET /api/websocket/stats")
    expected["project_connections"] = {PROJECT: 1}
    document.assert_like(actual, expected)
    assert actual["project_connections"] == {PROJECT: 1}


@pytest.mark.parametrize("missing", ["project", "task", "task_id", "agent"])
def test_error_format(told: Server, missing: str) -> None:
    request = document.request(heading("start"))
    del request[missing]
    answer = told.http.post("/webhook/start", json=request)
    assert answer.status_code == 422
    actual, expected = answer.json(), document.example("Формат ошибки")
    document.assert_like(actual, expected)
    expected["error"]["details"]["field"] = missing
    errors = actual["error"]["details"].pop("errors")
    assert actual["error"] == expected["error"]
    assert errors == [expected["error"]["details"]]


@pytest.mark.parametrize(
    "carried", [{"headers": {"X-API-Key": KEY}}, {"params": {"api_key": KEY}}], ids=str
)
def test_ways_to_give_the_key(told: Server, carried: dict[str, Any]) -> None:
    assert httpx.get(f"{told.url}/api/projects", **carried).status_code == 200
    assert httpx.get(f"{told.url}/api/projects").status_code == 401


def test_key_of_the_dotenv_file(start_server: Any, tmp_path: Any) -> None:
    lines = document.section("Настройка API ключа").split("```bash\n")[1].split("```")[0]
    folder = tmp_path / "server0"
    folder.mkdir()
    (folder / ".env").write_text(lines, encoding="utf-8")
    server = start_server(key=None)
    headers = {"X-API-Key": "your-secure-api-key"}
    assert httpx.get(f"{server.url}/api/projects", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/webhook/start", "POST", "{", 400),
        ("/api/projects/no-such-project/tasks", "GET", None, 404),
        ("/api/projects?limit=many", "GET", None, 422),
    ],
)
def test_statuses_of_failures(
    told: Server, path: str, method: str, body: str | None, status: int
) -> None:
    answer = told.http.request(method, path, content=body)
    assert answer.status_code == status
    document.assert_like(answer.json(), document.example("Формат ошибки"))
