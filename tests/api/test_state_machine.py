"""A real server and a simple model are told the same at random, and have to answer the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import apsw
import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.support.server import Server, quote
from tests.support.simple_model import Body, SimpleModel
from tracker.domain.tasks import DELETIONS
from tracker.store.sqlite.admin.counter_check import recount

EPOCH = date(1970, 1, 1)
TIMES = ("started_at", "finished_at", "created_at", "updated_at")
REPLIES = {
    "start": "started",
    "status": "updated",
    "finish": "completed",
    "error": "error_recorded",
}


def optional(*values: Any) -> st.SearchStrategy[Any]:
    """Left out, null, or one of these."""
    return st.sampled_from((..., None, *values))


metadata = st.none() | st.dictionaries(st.sampled_from("kl"), st.sampled_from([0, None, "v", {}]))
projects = st.sampled_from(["a", "b/ж ?"])
task_ids = st.sampled_from(["1", "2", "../3"])
OWN_FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "start": {},
    "status": {
        "status": optional("pending", "running", "running", "completed", "failed"),
        "progress": optional(0, 12.5, 100),
        "message": optional("", "сообщение"),
    },
    "finish": {"result": optional("", "итог"), "duration_seconds": optional(0, 0.25, 3450)},
    "error": {
        "error_type": st.sampled_from(["RuntimeError", ""]),
        "error_message": st.just("failed"),
        "stack_trace": optional("Traceback"),
    },
}


@st.composite
def reports(draw: st.DrawFn) -> tuple[str, Body]:
    """A kind of report and its body."""
    kind = draw(st.sampled_from(list(OWN_FIELDS)))
    fields = {
        "project": projects,
        "task_id": task_ids,
        "task": st.sampled_from(["Title", "Название"]),
        "agent": st.sampled_from(["x", "y"]),
        "metadata": metadata,
        **OWN_FIELDS[kind],
    }
    body = {name: draw(strategy) for name, strategy in fields.items()}
    return kind, {name: value for name, value in body.items() if value is not ...}


def in_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def in_words(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ServerAndModel(RuleBasedStateMachine):
    server: ClassVar[Server]
    used: ClassVar[int] = 0  # idempotency keys

    def __init__(self) -> None:
        super().__init__()
        self.model = SimpleModel()
        self.last_id = 0
        self.first_id = 0
        self.deletions: list[tuple[int, str, str | None]] = []
        self.keyed: list[tuple[str, str, bytes, httpx.Response]] = []

    @initialize()
    def begin_with_nothing(self) -> None:
        for project in self._get("/api/projects")["projects"]:
            self.server.http.delete(f"/api/projects/{quote(project['name'])}")
        self.last_id = self._get("/api/events", newest=1)["last_id"]  # numbers are never reused
        self.first_id = self.last_id + 1
        self.look_at_everything()

    # What is told.

    @rule(report=reports())
    def one(self, report: tuple[str, Body]) -> None:
        kind, body = report
        self._recorded(kind, body, self.server.http.post(f"/webhook/{kind}", json=body))
        self._compare_task(body["project"], body["task_id"])

    @rule(some=st.lists(reports(), min_size=2, max_size=8))
    def several_at_once(self, some: list[tuple[str, Body]]) -> None:
        """They share a transaction; in which order, their event ids tell."""

        def send(report: tuple[str, Body]) -> httpx.Response:
            kind, body = report
            return self.server.http.post(f"/webhook/{kind}", json=body)

        with ThreadPoolExecutor(len(some)) as pool:
            answers = list(pool.map(send, some))
        told = zip(some, answers, strict=True)
        for (kind, body), answer in sorted(told, key=lambda pair: pair[1].json()["event_id"]):
            self._recorded(kind, body, answer)
        self.look_at_everything()

    @rule(report=reports())
    def one_with_a_key(self, report: tuple[str, Body]) -> None:
        kind, body = report
        type(self).used += 1
        key, content = f"key {self.used}", json.dumps(body).encode()
        answer = self._send(kind, key, content)
        self._recorded(kind, body, answer)
        self.keyed.append((key, kind, content, answer))

    @rule(data=st.data(), change=st.sampled_from(["nothing", "body", "kind"]))
    def a_key_again(self, data: st.DataObject, change: str) -> None:
        if not self.keyed:
            return
        key, kind, content, first = data.draw(st.sampled_from(self.keyed))
        if change == "nothing":
            again = self._send(kind, key, content)
            assert (again.status_code, again.content) == (first.status_code, first.content)
            assert again.headers["Idempotent-Replayed"] == "true"
            return
        if change == "body":
            content += b" "
        else:
            # An error's body suits every webhook; what it has besides is ignored.
            body = {"error_type": "E", "error_message": "m", **json.loads(content)}
            kind = "start" if kind != "start" else "status"
            content = json.dumps({**body, "status": None}).encode()
        again = self._send(kind, key, content)
        assert again.status_code == 422
        assert again.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"

    @rule(project=projects, task_id=task_ids)
    def delete_task(self, project: str, task_id: str) -> None:
        answer = self.server.http.delete(f"/api/projects/{quote(project)}/tasks/{quote(task_id)}")
        self._deleted(answer, self.model.delete_task(project, task_id), project, task_id)
        self._compare_task(project, task_id)

    @rule(project=projects)
    def delete_project(self, project: str) -> None:
        answer = self.server.http.delete(f"/api/projects/{quote(project)}")
        self._deleted(answer, self.model.delete_project(project), project, None)

    def _deleted(
        self, answer: httpx.Response, was_there: bool, project: str, task_id: str | None
    ) -> None:
        assert answer.status_code == (204 if was_there else 404)
        if was_there:
            self.last_id += 1
            self.deletions.append((self.last_id, project, task_id))

    # What is answered.

    @rule()
    def look_at_everything(self) -> None:
        assert self._get("/api/stats") == self.model.stats(in_words)
        self._compare_projects()
        self._compare_events()
        for project in self.model.projects:
            expected = self.model.project_stats(
                project, lambda day: (EPOCH + timedelta(days=day)).isoformat()
            )
            assert self._get(f"/api/stats/projects/{quote(project)}") == expected
            listed = self._get(f"/api/projects/{quote(project)}/tasks")["tasks"]
            names = [(project, task["task_id"]) for task in listed]
            assert names == self.model.tasks_of(project)
            for task in listed:
                self._compare(task, self.model.tasks[project, task["task_id"]])

        listed = self._get("/api/tasks", limit=500)
        names = [(task["project"], task["task_id"]) for task in listed["tasks"]]
        assert names == self.model.tasks_of(None)
        assert listed["total"] == len(names)
        for name, task in zip(names, listed["tasks"], strict=True):
            self._compare(task, self.model.tasks[name])

    def teardown(self) -> None:
        self.look_at_everything()
        database = str(self.server.database)
        with closing(apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            assert recount(connection) == []

    def _send(self, kind: str, key: str, content: bytes) -> httpx.Response:
        return self.server.http.post(
            f"/webhook/{kind}", content=content, headers={"Idempotency-Key": key}
        )

    def _get(self, path: str, **params: Any) -> Any:
        answer = self.server.http.get(path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _recorded(self, kind: str, body: Body, answer: httpx.Response) -> None:
        """The report goes to the model too, which says what the reply had to be."""
        reply = answer.json()
        assert answer.is_success, reply
        task = self.model.report(kind, body, reply["event_id"], in_ms(reply["timestamp"]))
        assert answer.status_code == (201 if kind == "start" and task["created"] else 200)
        assert (reply["status"], reply["task_id"]) == (REPLIES[kind], body["task_id"])
        if kind == "finish":
            assert reply["duration_seconds"] * 1000 == task["duration_seconds"]
        assert reply["event_id"] == self.last_id + 1
        self.last_id = reply["event_id"]

    def _compare_task(self, project: str, task_id: str) -> None:
        answer = self.server.http.get(f"/api/projects/{quote(project)}/tasks/{quote(task_id)}")
        expected = self.model.tasks.get((project, task_id))
        if expected is None:
            assert answer.status_code == 404
            return
        task = answer.json()
        self._compare(task, expected)
        assert task["stack_trace"] == expected["stack_trace"]
        assert [event["id"] for event in task["events"]] == [
            event["id"]
            for event in self.model.events
            if (event["project"], event["task_id"]) == (project, task_id)
        ]

    def _compare(self, task: dict[str, Any], expected: dict[str, Any]) -> None:
        duration = task["duration_seconds"]
        actual = {
            **task,
            **{name: task[name] and in_ms(task[name]) for name in TIMES},
            "duration_seconds": None if duration is None else round(duration * 1000),
        }
        names = expected.keys() - {"first_event", "stack_trace"}
        assert {name: actual[name] for name in names} == {name: expected[name] for name in names}

    def _compare_projects(self) -> None:
        listed = self._get("/api/projects", sort_by="name", sort_order="asc", activity_days=100)
        assert listed["total"] == len(self.model.projects)
        for project, (name, expected) in zip(
            listed["projects"], sorted(self.model.projects.items()), strict=True
        ):
            counts = self.model.counts(name)
            assert project == {
                "id": project["id"],
                "name": name,
                "created_at": in_words(expected.created_at),
                "updated_at": in_words(expected.updated_at),
                "task_count": counts["total"],
                "active_tasks": counts["pending"] + counts["running"],
                "completed_tasks": counts["completed"],
                "failed_tasks": counts["failed"],
                "activity": project["activity"],
            }
            days = project["activity"]
            assert sum(day["completed"] for day in days) == counts["completed"]
            assert sum(day["failed"] for day in days) == counts["failed"]

    def _compare_events(self) -> None:
        log = self._get("/api/events", since=self.first_id - 1, limit=1000)
        assert (log["last_id"], log["has_more"]) == (self.last_id, False)
        told = [event for event in log["events"] if event["type"] in DELETIONS]
        assert self.deletions == [
            (event["id"], event["data"]["project"], event["data"].get("task_id")) for event in told
        ]
        assert [event["id"] for event in log["events"]] == sorted(
            event["id"] for event in [*told, *self.model.events]
        )
        assert [
            {
                **{name: event["data"].get(name) for name in ("project", "task_id", "status")},
                **{name: event["data"][name] for name in ("progress", "attempt")},
                "metadata": event["data"].get("metadata", {}),
                "id": event["id"],
                "type": event["type"],
                "at": in_ms(event["timestamp"]),
            }
            for event in log["events"]
            if event["type"] not in DELETIONS
        ] == self.model.events


def test_server_and_model_agree(start_server: Callable[..., Server]) -> None:
    class Machine(ServerAndModel):
        server = start_server("--durability", "normal")

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
