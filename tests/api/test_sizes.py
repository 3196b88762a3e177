"""No message, page or task is larger than clients can take; what is cut is kept whole elsewhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from tests.support.server import KEY, Server
from tracker.domain import shortening
from tracker.domain.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, MAX_PAGE_BYTES

BIG = 700_000  # bytes, of a report that is taken


@pytest.mark.parametrize("filler", ["x", "é", "\x01", "😀"])
def test_a_large_report_is_a_message_that_clients_can_take(
    shared_server: Server, project: str, filler: str
) -> None:
    text = filler * (BIG // (len(orjson.dumps(filler)) - 2))
    address = (
        shared_server.url.replace("http", "ws", 1) + f"/ws?api_key={KEY}&project={quote(project)}"
    )
    with connect(address, proxy=None, max_size=MAX_MESSAGE_BYTES) as socket:
        event_id = shared_server.report("finish", project, result=text).json()["event_id"]
        message = orjson.loads(socket.recv(timeout=20))
    assert message["id"] == event_id
    assert message["data"]["truncated"] is True
    assert text.startswith(message["data"]["result"].removesuffix("…"))
    assert len(orjson.dumps(message)) <= MAX_MESSAGE_BYTES
    (listed,) = shared_server.http.get("/api/events", params={"project": project}).json()["events"]
    assert listed == message
    assert shared_server.task(project)["events"] == [message]
    # All of it.
    whole = shared_server.http.get(f"/api/events/{event_id}").json()
    assert whole["data"]["result"] == shared_server.task(project)["result"] == text
    assert "truncated" not in whole["data"]


def test_what_fits_is_not_touched(shared_server: Server, project: str) -> None:
    metadata = {"log": "x" * 200_000}
    shared_server.report("start", project, metadata=metadata)
    (message,) = shared_server.task(project)["events"]
    assert message["data"]["metadata"] == metadata
    assert "truncated" not in message["data"]
    (task,) = shared_server.http.get(f"/api/projects/{project}/tasks").json()["tasks"]
    assert (task["metadata"], task["truncated"]) == (metadata, False)


def test_metadata_that_does_not_fit(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, metadata={"small": 1, "log": "x" * 200_000})
    last = {"other": "y" * 200_000, "small": 2}
    event_id = shared_server.report("status", project, metadata=last).json()["event_id"]
    task = shared_server.task(project)
    assert task["metadata_truncated"] is True
    assert (task["metadata"]["small"], len(task["metadata"])) == (1, 2)
    assert shared_server.http.get(f"/api/events/{event_id}").json()["data"]["metadata"] == last
    shared_server.report("status", project, metadata={"small": 3})
    assert shared_server.task(project)["metadata"]["small"] == 3
    shared_server.report("start", project, "new", metadata={"log": "x" * BIG})
    task = shared_server.task(project, "new")
    assert (task["metadata"], task["metadata_truncated"]) == ({}, True)


def test_a_page_of_tasks_leaves_none_out(shared_server: Server, project: str) -> None:
    for number in range(50):
        metadata = {"log": "x" * 250_000, "short": number, "also": [number]}
        shared_server.report("start", project, f"{number}", metadata=metadata)
    answer = shared_server.http.get(f"/api/projects/{project}/tasks", params={"limit": 500})
    tasks = answer.json()["tasks"]
    assert len(tasks) == 50
    assert len(answer.content) <= 1.2 * MAX_PAGE_BYTES
    assert {task["truncated"] for task in tasks} == {False, True}
    for task in tasks:
        assert task["metadata"]["short"] == int(task["task_id"])
        assert ("log" in task["metadata"]) is not task["truncated"]


def test_of_long_requests_lists_have_the_oldest(shared_server: Server, project: str) -> None:
    task = {"kind": "status", "project": project, "task": "T", "task_id": "t", "agent": "a"}
    reports = [
        {**task, "attention": f"{name}{'😀' * 990}", "attention_id": name}
        for name in map(str, range(100))
    ]
    assert shared_server.http.post("/webhook/batch", json={"reports": reports}).is_success
    (line,) = (
        task
        for task in shared_server.http.get("/api/now").json()["active"]
        if task["project"] == project
    )
    page = shared_server.http.get(f"/api/projects/{quote(project)}/tasks").json()
    for listed in (line, *page["tasks"]):
        assert [request["id"] for request in listed["requests"]] == ["0"]
        assert listed["attention"] == listed["requests"][0]["text"] == f"0{'😀' * 990}"
    assert len(shared_server.task(project, "t")["requests"]) == 100
    # Nor does each further report write all of them into the log.
    event_id = shared_server.report("status", project, "t").json()["event_id"]
    data = shared_server.http.get(f"/api/events/{event_id}").json()["data"]
    assert [request["id"] for request in data["requests"]] == ["0"]


def test_a_page_of_events_ends_before_it_is_too_large(shared_server: Server, project: str) -> None:
    for number in range(50):
        metadata = {"log": "x" * 250_000}
        shared_server.report("status", project, "t", metadata=metadata, message=f"{number}")
    seen: list[str] = []
    cursor, more = 0, True
    while more:
        wanted: dict[str, Any] = {"project": project, "since": cursor, "limit": 1000}
        answer = shared_server.http.get("/api/events", params=wanted)
        assert len(answer.content) <= MAX_PAGE_BYTES
        page = answer.json()
        cursor, more = page["last_id"], page["has_more"]
        seen += [event["data"]["message"] for event in page["events"]]
    assert seen == [f"{number}" for number in range(50)]
    assert len(shared_server.http.get(f"/api/projects/{project}/tasks/t").content) <= (
        MAX_PAGE_BYTES + MAX_METADATA_BYTES
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@given(
    texts=st.dictionaries(
        st.sampled_from(["result", "message", "stack_trace", "error_message", "title"]),
        st.tuples(st.sampled_from("x\x01é😀"), st.integers(0, 400_000)),
    ),
    requests=st.integers(0, 100),
    metadata=st.dictionaries(st.text(max_size=20), VALUES | st.just("y" * 5000), max_size=30),
    times=st.integers(1, 400),
)
@settings(max_examples=40, deadline=None)
def test_whatever_it_is_made_of_it_fits(
    texts: dict[str, tuple[str, int]], requests: int, metadata: dict[str, Any], times: int
) -> None:
    many = {f"{name}{number}": value for number in range(times) for name, value in metadata.items()}
    data = {
        **{name: filler * length for name, (filler, length) in texts.items()},
        "requests": [{"id": "\x01" * 255, "text": "\x01" * 1000, "since": "t"}] * requests,
        "metadata": many,
    }
    sent = shortening.event_data(orjson.dumps(data))
    assert len(sent) < MAX_MESSAGE_BYTES
    if len(orjson.dumps(data)) <= MAX_MESSAGE_BYTES - 1024:
        assert orjson.loads(sent) == data
    else:
        kept = orjson.loads(sent)["metadata"]
        assert kept == {name: many[name] for name in kept}
