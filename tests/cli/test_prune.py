"""Old tasks go, by command and in the background; cursors hear of it, reports do not wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.cli import run
from tests.support.load import problems
from tests.support.raw import open_websocket, read_frame
from tests.support.server import Server, wait_for
from tracker.domain.tasks import Kind, Report
from tracker.store.changes import WriteRequest
from tracker.store.sqlite.admin.counter_check import recount
from tracker.store.sqlite.connection import open_writer
from tracker.store.sqlite.pruning import Rule, prune_some
from tracker.store.sqlite.reports import record

DAY = 86_400_000


def age(database: Path, days: float, *tasks: str) -> None:
    """Have these tasks, and all that they reported, lie so many days further back."""
    with closing(apsw.Connection(str(database))) as connection, connection:
        connection.execute("PRAGMA recursive_triggers = OFF")
        for task in tasks:
            (row,) = (connection.execute("SELECT id FROM tasks WHERE task_id = ?", (task,)).get,)
            back = {"ms": int(days * DAY), "task": row}
            connection.execute("UPDATE events SET at = at - :ms WHERE task = :task", back)
            connection.execute(
                "UPDATE tasks SET started_at = started_at - :ms, finished_at = finished_at - :ms,"
                " created_at = created_at - :ms, updated_at = updated_at - :ms WHERE id = :task",
                back,
            )


def assert_sound(database: Path) -> None:
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert problems(connection) == []
        assert recount(connection) == []


def fill(server: Server) -> None:
    """Old and ended, old and running, old but heard of today, new; a project of old ones only."""
    for project, task in (
        ("kept", "old"),
        ("kept", "running"),
        ("kept", "late"),
        ("gone", "alone"),
        ("kept", "new"),
    ):
        server.report("start", project, task, metadata={"text": "x" * 5000})
        if task != "running":
            server.report("finish", project, task, result="done")
    age(server.database, 40, "old", "running", "late", "alone")
    server.report("status", "kept", "late", message="one more thing")


def tasks(server: Server) -> set[str]:
    """The tasks that are left, wherever."""
    return {
        task["task_id"]
        for project in server.http.get("/api/projects").json()["projects"]
        for task in server.http.get(f"/api/projects/{project['name']}/tasks?limit=500")
        .json()
        .get("tasks", [])  # the project may go meanwhile
    }


def first_type(server: Server, since: int) -> str:
    """What a subscriber with this cursor is sent first."""
    with closing(open_websocket(server, f"&since={since}")) as socket:
        return str(json.loads(read_frame(socket)[1])["type"])


def test_prune_beside_a_running_server(server: Server) -> None:
    fill(server)
    dry = run(
        "prune",
        "--older-than",
        "30d",
        "--dry-run",
        "--json",
        "--db",
        str(server.database),
        home=server.folder,
    )
    assert (dry.returncode, json.loads(dry.stdout)["tasks"]) == (0, 2), dry.stderr
    assert len(tasks(server)) == 5
    done = run(
        "prune", "--older-than", "30d", "--json", "--db", str(server.database), home=server.folder
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["tasks"], result["events"], result["dry_run"]) == (2, 4, False)
    assert tasks(server) == {"running", "late", "new"}
    assert [project["name"] for project in server.http.get("/api/projects").json()["projects"]] == [
        "kept"
    ]
    assert server.report("start", "gone", "again").status_code == 201
    wait_for(lambda: first_type(server, since=1) == "resync_required", 20)
    assert server.stop() == 0
    assert_sound(server.database)


def test_prune_of_one_project_and_to_a_size(server: Server) -> None:
    for number in range(60):
        server.report(
            "start", f"project {number % 2}", f"task {number}", metadata={"text": "x" * 20_000}
        )
        server.report("finish", f"project {number % 2}", f"task {number}")
    assert server.stop() == 0
    full = server.database.stat().st_size
    where = ("--db", str(server.database), "--json")
    one = run("prune", "--older-than", "0d", "--project", "project 1", *where, home=server.folder)
    assert json.loads(one.stdout)["tasks"] == 30, one.stderr
    limit = full // 4
    two = run("prune", "--max-size", str(limit), *where, home=server.folder)
    result = json.loads(two.stdout)
    assert 0 < result["tasks"] < 30
    assert server.database.stat().st_size <= limit
    again = run("prune", "--max-size", str(limit), *where, home=server.folder)
    assert json.loads(again.stdout)["tasks"] == 0
    assert_sound(server.database)


def test_prune_says_what_is_wrong_with_how_it_is_called(tmp_path: Path) -> None:
    nothing = run("prune", home=tmp_path)
    assert nothing.returncode == 2
    assert b"--older-than" in nothing.stderr
    missing = run("prune", "--older-than", "1d", "--db", "none.db", home=tmp_path)
    assert missing.returncode == 78
    assert b"none.db" in missing.stderr
    assert not (tmp_path / "none.db").exists()
    assert run("prune", "--older-than", "soon", home=tmp_path).returncode == 2


def test_retention_prunes_by_itself(start_server: Callable[..., Server], tmp_path: Path) -> None:
    first = Server.start(tmp_path)
    fill(first)
    for number in range(50):
        first.report("finish", "big", f"task {number}", result="x" * 50_000)
    assert first.stop() == 0
    age(first.database, 40, *(f"task {number}" for number in range(50)))
    full = first.database.stat().st_size
    server = Server.start(tmp_path, "--retain-days", "30")
    try:
        wait_for(lambda: tasks(server) == {"running", "late", "new"}, 30, "pruning")
        wait_for(lambda: server.database.stat().st_size < full / 2 or _checkpoint(server), 30)
    finally:
        assert server.stop() == 0
    assert server.database.stat().st_size < full / 2
    assert_sound(server.database)


def _checkpoint(server: Server) -> bool:
    """Have the WAL put into the file, as it is by itself once it has grown."""
    with closing(apsw.Connection(str(server.database))) as connection:
        connection.pragma("user_version")  # opens the WAL
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return False


def test_retention_by_size(tmp_path: Path) -> None:
    server = Server.start(tmp_path, "--retain-bytes", "1MB")
    try:
        for number in range(60):
            server.report("finish", "big", f"task {number}", result="x" * 50_000)
        newest = server.report("start", "big", "newest").json()["event_id"]
    finally:
        assert server.stop() == 0
    server = Server.start(tmp_path, "--retain-bytes", "1MB")
    try:
        wait_for(lambda: 0 < len(tasks(server)) < 20, 30, "pruning")
        assert "newest" in tasks(server)
        events = server.http.get("/api/events").json()["events"]
        assert events[-1]["id"] == newest
    finally:
        assert server.stop() == 0
    assert_sound(server.database)


@pytest.mark.parametrize("events", [99, 100, 101, 200])
def test_a_task_goes_however_many_events_it_has(tmp_path: Path, events: int) -> None:
    """A hundred are deleted at a time; a task whose last hundred went alone was never met again."""
    with closing(open_writer(tmp_path / "tracker.db", "off")) as connection:  # type: ignore[arg-type]
        kinds = [Kind.STATUS] * (events - 1) + [Kind.FINISH]
        with connection:
            record(
                connection, 1000, [WriteRequest(Report(kind, "p", "t", "T", "a")) for kind in kinds]
            )
        step, cursor = None, 0
        while step is None or not step.done:
            with connection:
                step = prune_some(Rule(before=2000), connection, cursor, lambda: False)
            cursor = step.cursor
        for table in ("events", "tasks", "projects"):
            assert connection.execute(f"SELECT count(*) FROM {table}").get == 0


def test_old_messages_of_agents_go_and_their_tasks_stay(tmp_path: Path) -> None:
    server = Server.start(tmp_path, "--keep-messages", "0")
    prompt = {"session_id": "s", "cwd": "/home/you/app", "prompt_id": "p", "prompt": "Go"}
    bash = {"tool_name": "Bash", "tool_input": {"command": "make"}}
    calls = [{**bash, "tool_use_id": f"call-{number}"} for number in range(5)]
    for payload in (
        {**prompt, "hook_event_name": "UserPromptSubmit"},
        *({**prompt, **call, "hook_event_name": "PreToolUse"} for call in calls),
        {**prompt, "hook_event_name": "Stop", "last_assistant_message": "Done"},
    ):
        answer = server.http.post("/hooks/claude-code", json=payload)
        assert answer.status_code < 300, answer.text
    assert server.stop() == 0
    where = ("--db", str(server.database), "--json")
    young = run("prune", "--keep-messages", "14d", *where, home=tmp_path)
    assert json.loads(young.stdout)["messages"] == 0
    age(server.database, 20, "s/p")
    would = json.loads(
        run("prune", "--keep-messages", "14d", "--dry-run", *where, home=tmp_path).stdout
    )
    gone = json.loads(run("prune", "--keep-messages", "14d", *where, home=tmp_path).stdout)
    assert would["messages"] == gone["messages"] > 0
    assert (gone["tasks"], gone["events"]) == (0, 0)
    assert_sound(server.database)
    server = Server.start(tmp_path)
    try:
        types = [event["type"] for event in server.task("app", "s/p")["events"]]
        assert types == ["task_started", "task_finished"]
    finally:
        assert server.stop() == 0
