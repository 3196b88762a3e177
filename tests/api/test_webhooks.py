"""The four webhooks: what they take, refuse, keep and answer (docs/contract.md, "Webhooks")."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.document import TIMESTAMP
from tests.support.mounts import MOUNTS
from tests.support.server import Server

KINDS = ("start", "status", "finish", "error")
NAMES = ("project", "task_id", "agent")

TRICKY = (
    "Разработка новой фичи",
    "日本語 🙂 e\u0301 \u202eabc",
    "a/b?c#d%20e&f=g",
    " \"quoted\" \\ 'single' ",
    "line\nbreak\ttab",
    " ",
)


@pytest.fixture(
    scope="module",
    params=MOUNTS,
)
def shared_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the whole module."""
    folder = tmp_path_factory.mktemp("shared") / "server"
    server = Server.start(folder, command=MOUNTS[request.param])
    yield server
    server.stop()


def body_of(kind: str, project: str, **fields: Any) -> dict[str, Any]:
    error = {"error_type": "E", "error_message": "failed"} if kind == "error" else {}
    return {"project": project, "task": "T", "task_id": "t", "agent": "a", **error, **fields}


def events(server: Server | ClockedServer, project: str) -> list[dict[str, Any]]:
    answer = server.http.get("/api/events", params={"project": project})
    assert answer.status_code == 200
    return list(answer.json()["events"])


# What is taken.


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("start", {"status": "started", "message": "Task started successfully"}),
        ("status", {"status": "updated", "message": "Task status updated successfully"}),
        (
            "finish",
            {
                "status": "completed",
                "message": "Task completed successfully",
                "duration_seconds": 0,
            },
        ),
        ("error", {"status": "error_recorded", "message": "Error recorded successfully"}),
    ],
)
def test_answer_has_these_fields_and_no_other(
    clocked: ClockedServer, kind: str, answer: dict[str, Any]
) -> None:
    assert clocked.report(kind, "p", "t").json() == {
        **answer,
        "task_id": "t",
        "timestamp": "2024-01-15T10:00:00.000Z",
        "event_id": 1,
    }


def test_statuses_of_start(shared_server: Server, project: str) -> None:
    def start() -> int:
        return shared_server.report("start", project).status_code

    assert [start(), start()] == [201, 200]
    assert shared_server.report("finish", project).status_code == 200
    assert start() == 200  # a new attempt is no new task
    assert shared_server.report("start", project, "another").status_code == 201


@pytest.mark.parametrize("first", ["status", "finish", "error"])
def test_start_after_another_report_is_not_the_first(
    shared_server: Server, project: str, first: str
) -> None:
    assert shared_server.report(first, project).status_code == 200
    assert shared_server.report("start", project).status_code == 200


def test_start_after_a_delete_is_the_first_again(shared_server: Server) -> None:
    assert shared_server.report("start", "deleted").status_code == 201
    assert shared_server.http.delete("/api/projects/deleted/tasks/task-1").status_code == 204
    assert shared_server.report("start", "deleted").status_code == 201


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TRICKY)
def test_any_text_is_kept_as_it_came(shared_server: Server, kind: str, text: str) -> None:
    project = f"{kind} {text}"
    fields = {"task": text, "agent": text, "metadata": {text: [text]}}
    texts = {
        "start": {},
        "status": {"message": text},
        "finish": {"result": text},
        "error": {"error_type": text, "error_message": text, "stack_trace": text},
    }[kind]
    answer = shared_server.report(kind, project, text, **fields, **texts)
    assert answer.status_code in (200, 201), answer.text
    assert answer.json()["task_id"] == text
    task = shared_server.task(project, text)
    expected = {"title": text, "agent": text, "metadata": {text: [text]}, **texts}
    assert {name: task[name] for name in expected} == expected
    assert (task["project"], task["task_id"]) == (project, text)
    (event,) = task["events"]
    data = {**expected, "project": project, "task_id": text}
    assert {name: event["data"][name] for name in data} == data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "longest"), [("project", 255), ("task_id", 255), ("agent", 255), ("task", 1000)]
)
def test_longest_names(shared_server: Server, kind: str, field: str, longest: int) -> None:
    def post(value: str) -> Any:
        body = body_of(kind, f"{kind} {field}") | {field: value}
        return shared_server.http.post(f"/webhook/{kind}", json=body)

    # Characters, not bytes nor UTF-16 units.
    for character in ("x", "ж", "🙂"):
        assert post(character * longest).is_success
        refused = post(character * (longest + 1))
        assert refused.status_code == 422
        details = refused.json()["error"]["details"]
        assert details["field"] == field
        assert str(longest) in details["issue"]


ACCEPTED = [
    ("status", "progress", 0),
    ("status", "progress", 100),
    ("status", "progress", 33.25),
    ("status", "message", "ж" * 10_000),
    ("status", "message", ""),
    ("finish", "duration_seconds", 0),
    ("finish", "duration_seconds", 0.001),
    ("finish", "duration_seconds", 3450.5),
    ("finish", "duration_seconds", 100 * 366 * 86_400),
    ("finish", "result", ""),
    ("finish", "result", "r" * 1_000_000),
    ("finish", "result", "with \0 in it"),
    ("error", "stack_trace", "s" * 10_240),
    ("error", "stack_trace", "ж" * 5_120),
    ("error", "error_message", "m" * 1_000_000),
]


@pytest.mark.parametrize(("kind", "field", "value"), ACCEPTED)
def test_taken_up_to_the_limit(
    shared_server: Server, project: str, kind: str, field: str, value: Any
) -> None:
    assert shared_server.report(kind, project, **{field: value}).status_code == 200
    assert shared_server.task(project)[field] == value


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed"])
def test_every_status_is_taken(shared_server: Server, status: str) -> None:
    assert shared_server.report("status", f"status {status}", status=status).status_code == 200
    assert shared_server.task(f"status {status}")["status"] == status


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"": {"": []}},
        {"deep": json.loads("[" * 97 + "]" * 97)},
        {"numbers": [0, -1, 1.5, 2**53, -(2**63), 2**64 - 1, 1e300, True, None]},
        {"nul": "\0", "text": "жэ🙂"},
        {"big": "x" * 250_000},
    ],
    ids=lambda metadata: ",".join(metadata) or "empty",
)
def test_metadata_is_any_object(
    shared_server: Server, project: str, metadata: dict[str, Any]
) -> None:
    assert shared_server.report("start", project, metadata=metadata).status_code == 201
    task = shared_server.task(project)
    assert task["metadata"] == metadata
    assert task["events"][0]["data"].get("metadata", {}) == metadata


OPTIONAL = {
    "start": ("metadata",),
    "status": ("metadata", "status", "progress", "message"),
    "finish": ("metadata", "result", "duration_seconds"),
    "error": ("metadata", "stack_trace"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_as_good_as_left_out(clocked: ClockedServer, kind: str) -> None:
    clocked.report(kind, "without", **{})
    answer = clocked.report(kind, "with", **dict.fromkeys(OPTIONAL[kind]))
    assert answer.is_success, answer.text
    told = [clocked.task(project) for project in ("without", "with")]
    for task in told:
        for name in ("id", "project", "events"):
            del task[name]
    assert told[0] == told[1]


def test_status_left_out_means_running(shared_server: Server, project: str) -> None:
    shared_server.report("status", project, status="pending")
    shared_server.report("status", project)
    assert shared_server.task(project)["status"] == "running"


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_are_ignored(shared_server: Server, kind: str) -> None:
    extras = {"sessions": {"id": 1}, "id": "x", "attempt": 9, "created_at": None, "": []}
    answer = shared_server.report(kind, f"extras {kind}", **extras)
    assert answer.is_success, answer.text
    task = shared_server.task(f"extras {kind}")
    assert (task["attempt"], "sessions" in task) == (1, False)


def test_fields_of_other_webhooks_are_ignored(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, status="completed", progress=7, result="r")
    task = shared_server.task(project)
    assert (task["status"], task["progress"], task["result"]) == ("running", 0, None)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_content_types(shared_server: Server, project: str, content_type: str) -> None:
    answer = shared_server.http.post(
        "/webhook/status",
        content=json.dumps(body_of("status", project)),
        headers={"Content-Type": content_type},
    )
    assert answer.status_code == 200


# What is refused.


def assert_refused(server: Server, kind: str, body: Any, field: str, project: str) -> None:
    """422, the field is named, and nothing of it is kept."""
    answer = server.http.post(f"/webhook/{kind}", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("VALIDATION_ERROR", "Invalid data format")
    assert error["details"]["field"] == field
    assert error["details"]["errors"][0] == {"field": field, "issue": error["details"]["issue"]}
    assert events(server, project) == []
    assert server.http.get("/api/stats/projects/" + project).status_code == 404


WRONG_NAMES = ["\0", "a\0b", None, 7, 1.5, True, ["a"], {"a": "b"}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *itertools.product(["project", "task", "task_id", "agent"], WRONG_NAMES),
        *itertools.product(["project", "task_id", "agent"], [""]),
    ],
    ids=repr,
)
def test_wrong_name(shared_server: Server, kind: str, field: str, wrong: Any) -> None:
    project = "refused-name"
    assert_refused(shared_server, kind, body_of(kind, project) | {field: wrong}, field, project)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_title_is_none(shared_server: Server, kind: str) -> None:
    """The title stays; of a task never seen it is the task's id."""
    project = f"untitled-{kind}"
    for task_id, first in (("known", "Title"), ("new", "")):
        for title in (first, ""):
            body = body_of(kind, project, task=title, task_id=task_id)
            assert shared_server.http.post(f"/webhook/{kind}", json=body).is_success
        expected = first or task_id
        assert shared_server.task(project, task_id)["title"] == expected
    told = [
        (event["data"]["task_id"], event["data"]["title"])
        for event in events(shared_server, project)
    ]
    assert told == [("known", "Title")] * 2 + [("new", "new")] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_missing_names_are_all_listed(shared_server: Server, kind: str) -> None:
    answer = shared_server.http.post(f"/webhook/{kind}", json={})
    required = ["project", "task", "task_id", "agent"]
    required += ["error_type", "error_message"] if kind == "error" else []
    errors = answer.json()["error"]["details"]["errors"]
    assert errors == [{"field": name, "issue": "This field is required"} for name in required]


REFUSED = [
    ("start", "metadata", "text"),
    ("start", "metadata", []),
    ("start", "metadata", 1),
    ("status", "status", "done"),
    ("status", "status", "RUNNING"),
    ("status", "status", ""),
    ("status", "status", 1),
    ("status", "progress", -0.001),
    ("status", "progress", -1),
    ("status", "progress", 100.001),
    ("status", "progress", 101),
    ("status", "progress", "50"),
    ("status", "progress", True),
    ("status", "progress", [50]),
    ("status", "progress", 10**30),
    ("status", "message", "ж" * 10_001),
    ("status", "message", 1),
    ("finish", "result", {"text": "r"}),
    ("finish", "result", 1),
    ("finish", "duration_seconds", -0.001),
    ("finish", "duration_seconds", "60"),
    ("finish", "duration_seconds", False),
    ("finish", "duration_seconds", 10**30),
    ("error", "error_type", None),
    ("error", "error_message", None),
    ("error", "error_type", 1),
    ("error", "stack_trace", "s" * 10_241),
    ("error", "stack_trace", "ж" * 5_121),
    ("error", "stack_trace", ["line"]),
]


@pytest.mark.parametrize(("kind", "field", "wrong"), REFUSED)
def test_refused(shared_server: Server, kind: str, field: str, wrong: Any) -> None:
    project = "refused-field"
    assert_refused(shared_server, kind, body_of(kind, project) | {field: wrong}, field, project)


def test_too_long_stack_trace_is_told_what_to_do(shared_server: Server) -> None:
    answer = shared_server.report("error", "refused-stack", stack_trace="ж" * 5_121)
    issue = answer.json()["error"]["details"]["issue"]
    assert "10240 bytes" in issue
    assert "head" in issue
    assert "tail" in issue


@pytest.mark.parametrize("body", [[], [{}], "text", 1, True, None], ids=repr)
def test_body_that_is_no_object(shared_server: Server, body: Any) -> None:
    # `json=None` would send no body at all.
    answer = shared_server.http.post("/webhook/start", content=json.dumps(body))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b"{} {}", b"\xff", b"NaN"], ids=repr)
def test_body_that_is_no_json(shared_server: Server, body: bytes) -> None:
    answer = shared_server.http.post("/webhook/start", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_JSON"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", KINDS)
def test_only_post(shared_server: Server, kind: str, method: str) -> None:
    answer = shared_server.http.request(method, f"/webhook/{kind}")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


# What becomes of a task. The rules themselves: tests/unit/test_model.py.


def test_attempts(clocked: ClockedServer) -> None:
    clocked.report("start", "p", metadata={"a": 1})
    clocked.report("status", "p", progress=50, message="half")
    clocked.clock.advance(seconds=30)
    clocked.report("error", "p", stack_trace="s")
    failed = clocked.task("p")
    assert (failed["attempt"], failed["progress"], failed["duration_seconds"]) == (1, 50, 30)
    clocked.clock.advance(seconds=10)
    clocked.report("start", "p", metadata={"b": 2})
    task = clocked.task("p")
    assert (task["attempt"], task["status"], task["progress"]) == (2, "running", 0)
    assert task["started_at"] == "2024-01-15T10:00:40.000Z"
    assert task["created_at"] == "2024-01-15T10:00:00.000Z"
    cleared = ("finished_at", "duration_seconds", "result", "error_type", "error_message")
    assert [task[name] for name in (*cleared, "stack_trace", "message")] == [None] * 7
    assert task["metadata"] == {"a": 1, "b": 2}
    assert [event["data"]["attempt"] for event in task["events"]] == [1, 1, 1, 2]


def test_late_status_is_history_only(clocked: ClockedServer) -> None:
    clocked.report("start", "p", metadata={"a": 1})
    clocked.report("finish", "p", result="r")
    before = clocked.task("p")
    clocked.clock.advance(seconds=60)
    late = {"task": "Other", "agent": "other", "metadata": {"a": 2}, "message": "late"}
    answer = clocked.report("status", "p", status="running", progress=5, **late)
    assert answer.status_code == 200
    assert (answer.json()["event_id"], answer.json()["late"]) == (3, True)
    after = clocked.task("p")
    *_, event = after.pop("events")
    del before["events"]
    assert after == before
    assert event["id"] == 3
    assert event["type"] == "task_status_updated"
    assert event["timestamp"] == "2024-01-15T10:01:00.000Z"
    # What the report said, and what the task is.
    assert event["data"]["message"] == "late"
    assert event["data"]["metadata"] == {"a": 2}
    assert (event["data"]["reported_status"], event["data"]["reported_progress"]) == ("running", 5)
    assert (event["data"]["status"], event["data"]["progress"]) == ("completed", 100)


@pytest.mark.parametrize(("status", "progress"), [("completed", 100), ("failed", 30)])
def test_status_that_ends_the_task(clocked: ClockedServer, status: str, progress: int) -> None:
    clocked.report("start", "p")
    clocked.clock.advance(seconds=90)
    answer = clocked.report("status", "p", status=status, progress=30, message="over")
    assert answer.json()["status"] == "updated"
    assert "late" not in answer.json()
    task = clocked.task("p")
    assert (task["status"], task["progress"]) == (status, progress)
    assert (task["duration_seconds"], task["message"]) == (90, "over")
    assert task["finished_at"] == "2024-01-15T10:01:30.000Z"
    assert task["events"][-1]["type"] == "task_status_updated"


@pytest.mark.parametrize(
    ("given", "measured"), [({}, 61.5), ({"duration_seconds": 3450}, 3450)], ids=str
)
def test_duration_is_measured_unless_given(
    clocked: ClockedServer, given: dict[str, Any], measured: float
) -> None:
    clocked.report("start", "p")
    clocked.clock.advance(seconds=61.5)
    assert clocked.report("finish", "p", **given).json()["duration_seconds"] == measured
    task = clocked.task("p")
    assert task["duration_seconds"] == measured
    assert task["started_at"] == "2024-01-15T10:00:00.000Z"
    assert task["finished_at"] == "2024-01-15T10:01:01.500Z"


def test_never_seen_task_started_its_duration_ago(clocked: ClockedServer) -> None:
    clocked.report("finish", "p", duration_seconds=3600)
    task = clocked.task("p")
    assert task["started_at"] == "2024-01-15T09:00:00.000Z"
    assert task["finished_at"] == task["created_at"] == "2024-01-15T10:00:00.000Z"


def test_time_of_the_answer_is_the_time_of_everything(shared_server: Server, project: str) -> None:
    timestamp = shared_server.report("start", project).json()["timestamp"]
    assert TIMESTAMP.fullmatch(timestamp)
    task = shared_server.task(project)
    assert {task[name] for name in ("started_at", "created_at", "updated_at")} == {timestamp}
    assert task["events"][0]["timestamp"] == timestamp
