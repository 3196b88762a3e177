"""Deletions are events of the log: what followers hear of them, live and afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.keys import client_with, make_key
from tests.support.server import Server, quote
from tests.support.subscriber import address, subscribe


def events(server: Server, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.http.get(f"/api/events?{query}").json()["events"]
    return found


def delete(server: Server, project: str, task: str | None = None) -> None:
    path = f"/api/projects/{quote(project)}" + (f"/tasks/{quote(task)}" if task else "")
    assert server.http.delete(path).status_code == 204


def test_a_task(shared_server: Server, project: str) -> None:
    shared_server.report("start", project, "a", task="Alpha", agent="ann")
    shared_server.report("status", project, "b", task="Beta")
    before = shared_server.http.get("/api/stats").json()["recent_activity"]
    with subscribe(address(shared_server, project)) as subscriber:
        delete(shared_server, project, "a")
        heard = json.loads(subscriber.recv(timeout=20))
    assert heard["type"] == "task_deleted"
    data = heard["data"]
    assert (data["project"], data["task_id"], data["title"]) == (project, "a", "Alpha")
    assert (data["agent"], data["status"], data["attempt"]) == ("ann", "running", 1)
    assert data["by"] == "master"
    assert events(shared_server, f"project={project}")[-1] == heard, "its own events are gone"
    assert [event["type"] for event in events(shared_server, f"project={project}")] == [
        "task_status_updated",
        "task_deleted",
    ]
    assert events(shared_server, f"project={project}&type=task_deleted") == [heard]
    assert events(shared_server, f"project={project}&type=task_started") == []
    assert events(shared_server, f"project={project}&task_id=a") == [heard]
    assert events(shared_server, f"project={project}&newest=1") == [heard]
    assert shared_server.http.get(f"/api/events/{heard['id']}").json() == heard
    after = shared_server.http.get("/api/stats").json()["recent_activity"]
    assert after[0] == before[0], "a deletion is no report"
    assert (after[0]["project"], after[0]["task_id"]) == (project, "b")
    assert (project, "a") not in [(line["project"], line["task_id"]) for line in after]
    again = shared_server.report("start", project, "a", task="Alpha")
    assert again.json()["event_id"] == heard["id"] + 1, "its number is the log's"


def test_a_project(shared_server: Server, project: str) -> None:
    for number in range(3):
        shared_server.report("start", project, f"{number}")
    with subscribe(address(shared_server, project)) as subscriber:
        delete(shared_server, project)
        heard = json.loads(subscriber.recv(timeout=20))
    assert heard["type"] == "project_deleted"
    assert heard["data"] == {"project": project, "by": "master", "remains": False}
    assert events(shared_server, f"project={project}") == [heard]


def test_who_was_away_hears_of_it(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server("--db", str(tmp_path / "tracker.db"))
    server.report("start", "p", "a")
    server.report("start", "p", "b")
    cursor = events(server)[-1]["id"]
    delete(server, "p", "a")
    server.report("status", "p", "b", message="goes on")
    delete(server, "p")
    server.stop(signal.SIGKILL)
    server = start_server("--db", str(tmp_path / "tracker.db"))
    told = events(server, f"since={cursor}")
    assert [(e["type"], e["data"].get("task_id")) for e in told] == [
        ("task_deleted", "a"),
        ("project_deleted", None),
    ]
    with subscribe(address(server, "p", cursor)) as subscriber:
        assert [json.loads(subscriber.recv(timeout=20)) for _ in told] == told


def test_each_hears_of_their_projects_alone(server: Server) -> None:
    key = make_key(server, "mine", "read", "mine")
    for project in ("mine", "theirs"):
        server.report("start", project, "a")
        delete(server, project, "a")
        server.report("start", project, "b")
        delete(server, project)
    with client_with(server, key) as client:
        seen = client.get("/api/events").json()["events"]
        assert {event["data"]["project"] for event in seen} == {"mine"}
        assert [event["type"] for event in seen] == ["task_deleted", "project_deleted"]
        hidden = next(e for e in events(server) if e["data"]["project"] == "theirs")
        assert client.get(f"/api/events/{hidden['id']}").status_code == 404


def test_pages_hold_them_in_their_places(start_server: Callable[..., Server]) -> None:
    """Against a list: whatever is deleted in between, pages of any size are the log."""
    server = start_server("--durability", "normal")
    steps = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from("ab"), st.integers(0, 3)))

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps, st.integers(1, 4))
    def check(steps: list[tuple[str, str, int]], limit: int) -> None:
        begin = server.http.get("/api/events").json()["last_id"]
        log: list[tuple[str, str, str | None]] = []
        for project, task, what in steps:
            known = {(p, t) for kind, p, t in log if kind == "task_started"}
            if what < 2:
                server.report("start", project, task)
                log.append(("task_started", project, task))
            elif what == 2 and (project, task) in known:
                delete(server, project, task)
                log = [e for e in log if e != ("task_started", project, task)]
                log.append(("task_deleted", project, task))
            elif what == 3 and any(p == project for p, _ in known):
                delete(server, project)
                log = [e for e in log if e[:2] != ("task_started", project)]
                log.append(("project_deleted", project, None))
        forward, cursor, more = [], begin, True
        while more:
            page = server.http.get(f"/api/events?since={cursor}&limit={limit}").json()
            forward += page["events"]
            cursor, more = page["last_id"], page["has_more"]
        assert [(e["type"], e["data"]["project"], e["data"].get("task_id")) for e in forward] == log
        backward: list[dict[str, Any]] = []
        while True:
            before = f"&before={backward[0]['id']}" if backward else ""
            page = server.http.get(f"/api/events?newest={limit}{before}").json()
            if not page["events"] or page["events"][-1]["id"] <= begin:
                break
            backward = [e for e in page["events"] if e["id"] > begin] + backward
        assert backward == forward
        for project in "pq":
            server.http.delete(f"/api/projects/{project}")

    check()
