"""What agents tell beyond the API document, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.clocked import ClockedServer
from tests.support.server import Server, wait_for

BEYOND = {
    "session": "run 1",
    "parent_task_id": "lead",
    "attention": "Allow Bash: rm -rf build?",
    "attention_id": "call-7",
    "stale_after_seconds": 0.5,
}


@pytest.mark.parametrize("kind", ["start", "status"])
def test_told_is_answered(shared_server: Server, project: str, kind: str) -> None:
    assert shared_server.report(kind, project, **BEYOND).is_success
    task = shared_server.task(project)
    (message,) = task.pop("events")
    asked = {"id": "call-7", "text": BEYOND["attention"], "since": message["timestamp"]}
    for said in (task, message["data"]):
        assert said["session"] == "run 1"
        assert said["parent_task_id"] == "lead"
        assert said["stale_after_seconds"] == 0.5
        assert said["attention"] == BEYOND["attention"]
        assert said["attention_since"] == message["timestamp"]
        assert said["requests"] == [asked]
    (line,) = shared_server.http.get("/api/search", params={"q": project}).json()["tasks"] or [task]
    assert line["attention"] == BEYOND["attention"]


def test_the_end_ends_requests_and_keeps_the_rest(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, **BEYOND)
    shared_server.report("finish", project)
    task = shared_server.task(project)
    assert (task["attention"], task["attention_since"], task["requests"]) == (None, None, [])
    assert task["session"] == "run 1"
    assert "attention" not in task["events"][-1]["data"]


def test_null_with_an_id_ends_that_one(shared_server: Server, project: str) -> None:
    for id_ in ("a", "b"):
        shared_server.report("status", project, attention=f"{id_}?", attention_id=id_)
    shared_server.report("status", project, attention_id="a")  # an id alone says nothing
    assert shared_server.task(project)["attention"] == "a?"
    shared_server.report("status", project, attention=None, attention_id="a")
    assert [one["id"] for one in shared_server.task(project)["requests"]] == ["b"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("session", ["s" * 256, 1, {}, "a\0b"]),
        ("parent_task_id", ["t" * 256, 1, "task-1"]),
        ("attention", ["a" * 1001, 1, ["a"]]),
        ("attention_id", ["i" * 256, 1]),
        ("stale_after_seconds", [0, -1, 2_592_001, "9", True, 1e300]),
        ("occurred_at", ["yesterday", 1_705_312_800, "2024-02-30T00:00:00Z", "", "10000-01-01"]),
    ],
)
def test_what_is_wrong_is_named(
    shared_server: Server, project: str, field: str, values: list[Any]
) -> None:
    for value in values:
        answer = shared_server.report("status", project, "task-1", **{field: value})
        assert answer.status_code == 422, value
        assert answer.json()["error"]["details"]["field"] == field
    assert shared_server.http.get(f"/api/projects/{project}/tasks").status_code == 404


@pytest.mark.parametrize("empty", ["", None])
def test_empty_is_as_if_left_out(shared_server: Server, project: str, empty: str | None) -> None:
    shared_server.report("start", project, **BEYOND)
    fields = ("session", "parent_task_id", "attention", "attention_id")
    assert shared_server.report("status", project, **dict.fromkeys(fields, empty)).is_success
    task = shared_server.task(project)
    assert (task["session"], task["parent_task_id"]) == ("run 1", "lead")
    assert task["attention"] == BEYOND["attention"]


@pytest.mark.parametrize(
    "occurred_at",
    ["2024-01-15T09:59:00Z", "2024-01-15T12:59:00+03:00", "2024-01-15T09:59:00.000"],
)
def test_it_happened_before_it_arrived(clocked: ClockedServer, occurred_at: str) -> None:
    clocked.report("finish", "p", occurred_at=occurred_at, duration_seconds=60)
    task = clocked.task("p")
    assert (task["started_at"], task["finished_at"]) == (
        "2024-01-15T09:58:00.000Z",
        "2024-01-15T09:59:00.000Z",
    )
    assert task["created_at"] == task["updated_at"] == "2024-01-15T10:00:00.000Z"
    assert task["events"][0]["data"]["occurred_at"] == task["reported_at"] == task["finished_at"]


def test_a_key_of_a_late_report_is_kept_for_a_month(clocked: ClockedServer) -> None:
    body = {"project": "p", "task": "T", "task_id": "t", "agent": "a"}
    late = {**body, "occurred_at": "2024-01-15T09:59:00Z"}

    def send(key: str, content: dict[str, str]) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return clocked.http.post("/webhook/status", json=content, headers=headers)

    send("late", late)
    send("now", body)
    clocked.clock.advance(days=30)
    assert send("late", late).headers.get("Idempotent-Replayed") == "true"
    assert "Idempotent-Replayed" not in send("now", body).headers


def test_in_a_batch(shared_server: Server, project: str) -> None:
    named = {"project": project, "task": "T", "task_id": "t", "agent": "a"}
    reports = [
        {"kind": "finish", **named, "occurred_at": "2026-11-20T10:00:20Z"},
        {"kind": "start", **named, "occurred_at": "2026-11-20T10:00:00Z", "session": "s"},
    ]
    answer = shared_server.http.post("/webhook/batch", json={"reports": reports})
    assert [result["status"] for result in answer.json()["results"]] == [200, 200]
    task = shared_server.task(project, "t")
    assert (task["status"], task["session"], task["attempt"]) == ("completed", "s", 1)


def test_silence_is_an_event_like_others(clocked_and_quick: ClockedServer) -> None:
    server = clocked_and_quick
    server.report("start", "p")
    server.clock.advance(seconds=3)
    server.report("start", "other")
    wait_for(lambda: server.task("p")["silent_since"] is not None, what="silence")
    page = server.http.get("/api/events", params={"type": "task_silent"}).json()
    (event,) = page["events"]
    assert event["data"]["silent_since"] == "2024-01-15T10:00:00.000Z"
    assert page["last_id"] == 3
    (line,) = [x for x in server.http.get("/api/now").json()["active"] if x["project"] == "p"]
    assert line["silent_since"] == "2024-01-15T10:00:00.000Z"


@pytest.fixture
def clocked_and_quick() -> Any:
    server = ClockedServer(stale_after=2)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("estimate", "overdue"),
    [
        (60, True),
        (60.5, True),
        (61, False),
        (-1, True),
        ("60", False),
        (None, False),
        ([6], False),
    ],
)
def test_overdue(clocked: ClockedServer, estimate: object, overdue: bool) -> None:
    clocked.report("start", "p", metadata={"estimated_duration": estimate})
    clocked.clock.advance(milliseconds=60_501)
    (task,) = clocked.http.get("/api/projects/p/tasks").json()["tasks"]
    (line,) = clocked.http.get("/api/now").json()["active"]
    assert task["overdue"] is line["overdue"] is clocked.task("p")["overdue"] is overdue
    clocked.report("finish", "p")
    assert clocked.task("p")["overdue"] is False


@pytest.mark.parametrize(
    ("dependencies", "blocked"),
    [
        (["done"], False),
        (["done", "running"], True),
        (["unknown"], False),
        (["elsewhere"], False),
        ([], False),
        ("running", False),
        ({"a": "running"}, False),
        ([None, 1, ["running"], {"b": 2}], False),
        ([7], False),  # ids are texts
        ([*map(str, range(100, 200)), "running"], False),  # beyond the hundred that are looked at
    ],
)
def test_blocked(clocked: ClockedServer, dependencies: object, blocked: bool) -> None:
    clocked.report("finish", "p", "done")
    clocked.report("start", "p", "running")
    clocked.report("start", "p", "7")
    clocked.report("start", "other", "elsewhere")
    metadata = {"dependencies": dependencies}
    clocked.report("status", "p", "waits", status="pending", metadata=metadata)
    assert clocked.task("p", "waits")["blocked"] is blocked
    clocked.report("start", "p", "waits")
    assert clocked.task("p", "waits")["blocked"] is False


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_clock_that_was_ahead_and_is_put_back(clocked: ClockedServer, attempts: int) -> None:
    """Every report of the SDK says when it happened: none may count as late until then."""
    clocked.clock.set("2024-01-16T10:00:00")  # a day ahead
    for _ in range(attempts - 1):
        clocked.report("start", "p")
        clocked.report("finish", "p")
    clocked.report("start", "p")
    clocked.report("finish", "p", "restarted")
    clocked.clock.set("2024-01-15T10:00:00")

    def report(kind: str, seconds: int, task_id: str = "task-1", **fields: Any) -> None:
        occurred_at = f"2024-01-15T09:59:{seconds:02}.000Z"
        clocked.report(kind, "p", task_id, occurred_at=occurred_at, **fields)

    report("status", 51, progress=50)
    assert clocked.task("p")["progress"] == 50
    report("status", 53, progress=70)
    report("finish", 52)  # which comes late now
    task = clocked.task("p")
    assert (task["status"], task["attempt"]) == ("completed", attempts)
    assert task["finished_at"] == "2024-01-15T09:59:52.000Z"
    report("finish", 50, "restarted")
    report("start", 51, "restarted")
    task = clocked.task("p", "restarted")
    assert (task["status"], task["attempt"]) == ("running", 2)
