"""What a person does about a task, by HTTP, and what others hear of it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.keys import client_with, make_key
from tests.support.server import KEY, Server
from tests.support.subscriber import address, subscribe


def do(server: Server, project: str, act: str, method: str = "POST", **body: Any) -> Any:
    url = f"/api/projects/{project}/tasks/task-1/{act}"
    return server.http.request(method, url, json=body or None)


def events(server: Server, project: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.http.get(f"/api/events?project={project}").json()["events"]
    return found


def test_it_is_told_to_everybody_and_kept(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, attention="May I?")
    before = shared_server.task(project)
    with subscribe(address(shared_server, project)) as subscriber:
        task = do(shared_server, project, "acknowledge").json()
        heard = json.loads(subscriber.recv(timeout=20))
    assert heard["type"] == "task_acknowledged"
    assert heard["data"]["by"] == "master"
    assert heard["data"]["acknowledged_at"] == task["acknowledged_at"] is not None
    assert events(shared_server, project)[-1] == heard
    unchanged = ("status", "attention", "updated_at", "reported_at", "snoozed_until")
    after = shared_server.task(project)
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    lines = shared_server.http.get("/api/now").json()["active"]
    assert task["acknowledged_at"] in [line["acknowledged_at"] for line in lines]
    assert do(shared_server, project, "acknowledge").json() == task
    assert events(shared_server, project)[-1] == heard, "once more is no news"
    assert do(shared_server, project, "acknowledge", "DELETE").json()["acknowledged_at"] is None
    last = events(shared_server, project)[-1]
    assert last["type"] == "task_acknowledged"
    assert "acknowledged_at" not in last["data"]


def test_snooze(shared_server: Server, project: str) -> None:
    shared_server.report("error", project, error_type="E", error_message="m")
    until = do(shared_server, project, "snooze", minutes=60).json()["snoozed_until"]
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(minutes=55) < left < timedelta(minutes=61)
    assert events(shared_server, project)[-1]["data"]["snoozed_until"] == until
    assert do(shared_server, project, "snooze", minutes=5).json()["snoozed_until"] < until
    assert do(shared_server, project, "snooze", "DELETE").json()["snoozed_until"] is None
    assert [event["type"] for event in events(shared_server, project)][1:] == ["task_snoozed"] * 3


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"minutes": 0}, {"minutes": -1}, {"minutes": 1e9}, {"minutes": "5"}, {"minute": 5}),
        *({"until": "2030-01-01T00:00:00Z"}, {"minutes": None}),
        {"minutes": True},
    ],
)
def test_a_time_that_is_none_is_refused(
    shared_server: Server, project: str, body: dict[str, Any]
) -> None:
    shared_server.report("start", project)
    url = f"/api/projects/{project}/tasks/task-1/snooze"
    answer = shared_server.http.post(url, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert len(events(shared_server, project)) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "ends"),
    [
        ("status", {"attention": "May I?", "attention_id": "a"}, False),
        ("status", {"attention": "And now?", "attention_id": "a"}, True),
        ("status", {"attention": "This too?", "attention_id": "b"}, True),
        ("status", {"attention_id": "a", "attention": None}, False),
        ("status", {"progress": 50}, False),
        ("start", {}, False),
        ("error", {"error_type": "E", "error_message": "m"}, True),
        ("finish", {}, True),
    ],
)
def test_news_end_it(
    shared_server: Server, project: str, kind: str, fields: dict[str, Any], *, ends: bool
) -> None:
    shared_server.report("start", project, attention="May I?", attention_id="a")
    do(shared_server, project, "acknowledge")
    do(shared_server, project, "snooze", minutes=5)
    assert shared_server.report(kind, project, **fields).is_success
    task = shared_server.task(project)
    assert (task["acknowledged_at"] is None) == (task["snoozed_until"] is None) == ends
    assert ("acknowledged_at" in events(shared_server, project)[-1]["data"]) != ends


def test_another_attempt_that_fails_is_news(shared_server: Server, project: str) -> None:
    failure = {"error_type": "E", "error_message": "m"}
    shared_server.report("error", project, **failure)
    do(shared_server, project, "acknowledge")
    shared_server.report("error", project, **failure)
    assert shared_server.task(project)["acknowledged_at"], "a repeated end is none"
    shared_server.report("start", project)
    shared_server.report("error", project, **failure)
    assert shared_server.task(project)["acknowledged_at"] is None


def test_an_estimate_that_has_run_out_before_is_acknowledged(
    shared_server: Server, project: str
) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    of = {"metadata": {"estimated_duration": 60}, "occurred_at": long_ago}
    shared_server.report("start", project, **of)
    assert shared_server.task(project)["overdue"]
    assert do(shared_server, project, "acknowledge").json()["acknowledged_at"]
    assert shared_server.task(project)["acknowledged_at"]


def test_what_was_answered_outlives_kill_9_and_is_replayed(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server("--db", str(tmp_path / "tracker.db"))
    server.report("start", "p", attention="May I?")
    task = do(server, "p", "acknowledge").json()
    server.stop(signal.SIGKILL)
    again = start_server("--db", str(tmp_path / "tracker.db"))
    assert again.task("p")["acknowledged_at"] == task["acknowledged_at"]
    (_, event) = events(again, "p")
    assert event["data"]["acknowledged_at"] == task["acknowledged_at"]
    with subscribe(address(again, "p", since=1)) as subscriber:
        assert json.loads(subscriber.recv(timeout=20)) == event
    with again.http.stream("GET", "/api/events/stream?project=p&since=1") as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        assert json.loads(next(lines).removeprefix("data: ")) == event


def test_it_is_no_report(shared_server: Server, project: str) -> None:
    shared_server.report("start", project)
    stats = lambda: shared_server.http.get("/api/stats").json()  # noqa: E731
    before = stats()
    do(shared_server, project, "acknowledge")
    do(shared_server, project, "snooze", minutes=5)
    assert stats() == before


def test_failing_by_hand(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, "task-1", agent="builder")
    task = do(shared_server, project, "fail", reason="It hangs").json()
    assert (task["status"], task["error_message"], task["agent"]) == (
        "failed",
        "It hangs",
        "builder",
    )
    last = events(shared_server, project)[-1]
    assert (last["type"], last["data"]["metadata"]) == ("task_error", {"failed_by": "master"})
    assert do(shared_server, project, "fail", reason="again").status_code == 409
    assert do(shared_server, project, "fail", reason="").status_code == 422


def at_once(*calls: Callable[[], httpx.Response]) -> list[int]:
    """What all of them are answered, in order."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> int:
        together.wait(20)
        return call().status_code

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_what_ends_a_task_meanwhile_stands(shared_server: Server, project: str) -> None:
    for number in range(10):
        name = str(number)
        shared_server.report("start", project, name)
        url = f"/api/projects/{project}/tasks/{name}/fail"
        fail = partial(shared_server.http.post, url, json={"reason": "r"})
        finish = partial(shared_server.report, "finish", project, name)
        answers = at_once(fail, fail, fail, fail, finish)
        found = shared_server.http.get(f"/api/events?project={project}&task_id={name}").json()
        types = [event["type"] for event in found["events"]]
        failed = "task_error" in types
        assert sorted(answers) == [200, *[200] * failed, *[409] * (4 - failed)], types
        assert types == ["task_started", *["task_error"] * failed, "task_finished"]


def test_a_key_sees_to_its_own_projects_only(shared_server: Server, project: str) -> None:
    shared_server.report("start", project)
    other = make_key(shared_server, "acts-other", "answer", "elsewhere")
    own = make_key(shared_server, "acts-own", "answer", project)
    url = f"/api/projects/{project}/tasks/task-1"
    for act, body in (("acknowledge", {}), ("snooze", {"minutes": 1}), ("fail", {"reason": "r"})):
        with client_with(shared_server, other) as client:
            assert client.post(f"{url}/{act}", json=body).status_code == 404
        with client_with(shared_server, own) as client:
            assert client.post(f"{url}/{act}", json=body).status_code == 200
        with client_with(shared_server, KEY) as client:
            assert client.post(f"{url}x/{act}", json=body).status_code == 404
    assert events(shared_server, project)[1]["data"]["by"] == "acts-own"
