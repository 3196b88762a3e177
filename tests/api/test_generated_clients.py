"""Clients that generators make of a running server's `/openapi.json` work against that server.

docs/clients.md names the generators.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import generated
from tests.support.generated import PythonClient
from tests.support.server import KEY, Server

# What has to survive names in paths, too.
NAMES = {"project": "org/repo", "task": "Задача", "task_id": "a/b", "agent": "generated"}


@pytest.fixture(scope="module")
def python_client(
    shared_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PythonClient]:
    folder = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        yield PythonClient.generate(shared_server, folder, "generated_tracker_client")


class TestPython:
    """openapi-python-client."""

    @pytest.fixture(autouse=True)
    def _connect(self, python_client: PythonClient, shared_server: Server) -> Iterator[None]:
        self.of = python_client
        self.models: Any = python_client.module("models")
        client: Any = python_client.module("client")
        with client.AuthenticatedClient(
            base_url=shared_server.url,
            token=KEY,
            prefix="",
            auth_header_name="X-API-Key",
            raise_on_unexpected_status=True,
            httpx_args={"trust_env": False},
        ) as self.client:
            yield

    def call(self, operation: str, *arguments: str, **options: Any) -> Any:
        """What an operation answers, read as it is described."""
        answer = self.of.module(f"api.{operation}").sync_detailed(
            *arguments, client=self.client, **options
        )
        assert answer.status_code < 300, answer.content
        return answer.parsed

    def test_reports_and_reads(self) -> None:
        models = self.models
        started = self.call(
            "webhooks.report_start",
            body=models.StartBody(
                **NAMES, metadata=models.StartBodyMetadataType0.from_dict({"priority": "high"})
            ),
            idempotency_key="generated",
        )
        assert (started.status, started.task_id) == ("started", "a/b")
        updated = self.call(
            "webhooks.report_status",
            body=models.StatusBody(
                **NAMES, status=models.Status.RUNNING, progress=12.5, message=None
            ),
        )
        assert updated.event_id > started.event_id
        failed = self.call(
            "webhooks.report_error",
            body=models.ErrorBody(**NAMES, error_type="E", error_message="m", stack_trace="line"),
        )
        assert failed.status == "error_recorded"
        finished = self.call(
            "webhooks.report_finish",
            body=models.FinishBody(**NAMES, result="done", duration_seconds=1.5),
        )
        assert finished.duration_seconds == 1.5

        projects = self.call("projects_and_tasks.list_projects", limit=500)
        assert "org/repo" in [project.name for project in projects.projects]
        tasks = self.call(
            "projects_and_tasks.list_tasks",
            "org/repo",
            status=models.Status.COMPLETED,
            date_from=datetime.now(UTC) - timedelta(days=1),
            date_to=datetime.now(UTC) + timedelta(days=1),
        )
        assert [(task.title, task.finished_at is None) for task in tasks.tasks] == [
            ("Задача", False)
        ]
        everywhere = self.call("projects_and_tasks.list_all_tasks", project="org/repo")
        assert [(task.project, task.title) for task in everywhere.tasks] == [("org/repo", "Задача")]
        task = self.call("projects_and_tasks.get_task", "org/repo", "a/b")
        assert task.metadata["priority"] == "high"
        kinds = [
            models.StartedEvent,
            models.StatusEvent,
            models.ErrorEvent,
            models.FinishedEvent,
        ]
        assert [type(event) for event in task.events] == kinds

        events = self.call("events.list_events", project="org/repo")
        assert [type(event) for event in events.events] == kinds
        stats = self.call("statistics.get_project_stats", "org/repo")
        assert stats.task_stats.completed == 1
        assert self.call("statistics.get_stats").overview.total_tasks >= 1
        assert self.call("statistics.get_websocket_stats").project_connections.to_dict() == {}
        assert self.call("statistics.get_trends").durations.sample >= 1
        assert self.call("dashboard.get_now").last_id >= events.last_id
        assert self.call("dashboard.get_info").api_key_file is None

    def test_sends_a_batch(self) -> None:
        report = {**NAMES, "project": "generated batch"}
        body = self.models.BatchBody(reports=[{"kind": "start", **report}, {"kind": "none"}])
        accepted, refused = self.call("webhooks.report_batch", body=body).results
        assert (accepted.status, refused.status) == (201, 422)
        assert refused.error.code == self.models.ErrorContentCode.VALIDATION_ERROR

    def test_reads_failures(self) -> None:
        get = self.of.module("api.projects_and_tasks.get_task")
        answer = get.sync_detailed("nothing", "none", client=self.client)
        assert answer.status_code == 404
        assert isinstance(answer.parsed, self.models.ErrorResponse)
        assert answer.parsed.error.code == self.models.ErrorContentCode.NOT_FOUND

    def test_checks(self) -> None:
        assert self.call("health.check_health").status == "healthy"
        assert self.call("health.check_hub").redis_version is None
        assert self.call("health.check_database").database == "sqlite"


TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { components, paths } from "./tracker";

const [url, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { "X-API-Key": key } });
const names = { project: "ts/repo", task: "Задача", task_id: "a/b", agent: "generated" };

function must<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const started = must(await client.POST("/webhook/start", { body: { ...names, metadata: null } }));
must(await client.POST("/webhook/status", { body: { ...names, status: "running", progress: 5 } }));
must(await client.POST("/webhook/error", {
  body: { ...names, error_type: "E", error_message: "m" },
}));
must(await client.POST("/webhook/finish", { body: { ...names, result: "done" } }));
const projects = must(await client.GET("/api/projects", { params: { query: { limit: 500 } } }));
const path = { project_name: "ts/repo" };
const tasks = must(await client.GET("/api/projects/{project_name}/tasks", {
  params: { path, query: { status: "completed", date_from: "2024-01-15" } },
}));
const task = must(await client.GET("/api/projects/{project_name}/tasks/{task_id}", {
  params: { path: { ...path, task_id: "a/b" } },
}));
const stats = must(await client.GET("/api/stats"));
const figures = must(await client.GET("/api/stats/projects/{project_name}", { params: { path } }));
const events = must(await client.GET("/api/events", {
  params: { query: { project: "ts/repo" } },
}));
const results = events.events.map((event) =>
  event.type === "task_finished" ? event.data.result : event.type,
);
const missing = await client.GET("/api/projects/{project_name}/tasks", {
  params: { path: { project_name: "nothing" } },
});
const hub = must(await client.GET("/redis-check"));
const redis: string | null = hub.redis_version;
const message: components["schemas"]["Task"]["message"] = tasks.tasks[0].message;
console.log(JSON.stringify({
  started: started.status,
  projects: projects.projects.map((project) => project.name).filter((name) => name === "ts/repo"),
  tasks: tasks.tasks.map((one) => one.title),
  history: task.events.length,
  total: stats.overview.total_tasks > 0,
  completed: figures.task_stats.completed,
  results,
  missing: missing.error?.error.code,
  redis,
  message,
}));
"""


@pytest.mark.slow
def test_typescript(shared_server: Server, tmp_path: Path) -> None:
    """openapi-typescript with openapi-fetch: types that hold, requests that arrive."""
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    generated.install_npm_packages(tmp_path)
    npx = [generated.npm("npx"), "--no-install"]
    url = f"{shared_server.url}/openapi.json"
    generated.run([*npx, "openapi-typescript", url, "-o", "tracker.d.ts"], tmp_path)
    declare = "declare const process: { argv: string[] };\n"
    (tmp_path / "drive.ts").write_text(declare + TYPESCRIPT, encoding="utf-8")
    flags = ("--strict", "--target", "es2022", "--module", "es2022")
    resolution = ("--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable")
    generated.run([*npx, "tsc", *flags, *resolution, "drive.ts"], tmp_path)
    printed = generated.run(
        [generated.npm("node"), "drive.js", shared_server.url, KEY], tmp_path, NODE_USE_ENV_PROXY=""
    )
    assert json.loads(printed) == {
        "started": "started",
        "projects": ["ts/repo"],
        "tasks": ["Задача"],
        "history": 4,
        "total": True,
        "completed": 1,
        "results": ["task_started", "task_status_updated", "task_error", "done"],
        "missing": "NOT_FOUND",
        "redis": None,
        "message": None,
    }
