"""Payloads while keys, projects, tasks or the state that is kept are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import apsw

from tests.api.test_hook_processes import Agent, seen
from tests.api.test_hooks import heard, send, session, task
from tests.support.keys import client_with, code_of, make_key
from tests.support.server import Server, wait_for
from tracker.store.sqlite import hooks
from tracker.store.sqlite.admin.counter_check import recount


def projects(server: Server) -> set[str]:
    found = server.http.get("/api/projects").json()["projects"]
    return {project["name"] for project in found}


def opened(server: Server) -> closing[apsw.Connection]:
    connection = apsw.Connection(str(server.database))
    connection.set_busy_timeout(5000)
    return closing(connection)


def break_state(server: Server, name: str) -> None:
    """As no version of the tracker has written it."""
    with opened(server) as database:
        state = json.dumps({"open": {"p": {"nonsense": 1}}})
        database.execute("UPDATE hook_sessions SET state = ? WHERE session = ?", (state, name))


def test_a_refused_payload_takes_no_name(server: Server) -> None:
    """Else a key could take the names of projects that it may not report to."""
    with client_with(server, make_key(server, "limited", "report", "other")) as limited:
        told = {"client": limited, "cwd": "/evil/app", "prompt": "x"}
        refused = send(server, "UserPromptSubmit", session_id="e", **told)
        assert code_of(refused) == (403, "FORBIDDEN")
    heard(send(server, "UserPromptSubmit", prompt="x"))
    assert projects(server) == {"app"}


def test_what_only_ends_takes_no_name(server: Server) -> None:
    process = {"boot_id": "b", "pid_namespace": "1", "pid": 1, "started": "1"}
    content = {"hook": "dispose", "directory": "/elsewhere/app"}
    headers = {"Tracker-Context": json.dumps(process)}
    heard(server.http.post("/hooks/opencode", json=content, headers=headers))
    heard(send(server, "UserPromptSubmit", prompt="x"))
    assert projects(server) == {"app"}


def test_a_session_that_ends_brings_no_project_back(server: Server) -> None:
    heard(send(server, "SessionStart", at=1))
    assert server.http.delete("/api/projects/app").status_code == 204
    heard(send(server, "SessionEnd", at=2))
    assert projects(server) == set()


def test_a_process_that_is_gone_brings_no_task_back(server: Server) -> None:
    agent = Agent()
    try:
        for number in range(2):
            name = f"s{number}"
            told = {"session_id": name, "prompt_id": "p", "context": agent.context}
            heard(send(server, "UserPromptSubmit", prompt="x", **told))
        wait_for(lambda: seen(server) == {"s0", "s1"}, 20)
        deleted = server.http.delete("/api/projects/app/tasks/s0%2Fp")
        assert deleted.status_code == 204
    finally:
        agent.end()
    wait_for(lambda: task(server, "s1/p")["error_type"] == "ProcessEnded", 20)
    assert server.http.get("/api/projects/app/tasks/s0%2Fp").status_code == 404
    assert session(server)["session"] == "s1"


def test_a_session_nobody_told_the_end_of_ends_when_it_is_forgotten(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    heard(send(server, "SessionStart", session_id="without-tasks"))
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x"))
    heard(send(server, "Stop", prompt_id="p"))
    server.stop()
    with opened(server) as database:
        assert hooks.delete_old(database, 2**60, 10)
        assert recount(database) == []
    server = start_server(db=str(server.database))
    assert (session(server)["session"], session(server)["state"]) == ("s", "ended")


def test_a_payload_that_fails_is_refused_and_told_to_the_log(server: Server) -> None:
    """A 500 would be sent again for ever, before all else of its session."""
    heard(send(server, "UserPromptSubmit", prompt_id="p", prompt="x"))
    break_state(server, "s")
    refused = send(server, "Stop", prompt_id="p")
    assert code_of(refused) == (422, "VALIDATION_ERROR")
    assert "failed to read" in refused.json()["error"]["message"]
    assert "nonsense" in server.log
    heard(send(server, "UserPromptSubmit", session_id="t", prompt_id="p", prompt="x"))


def test_a_session_that_fails_keeps_no_other_from_ending(server: Server) -> None:
    agent = Agent()
    try:
        told: dict[str, Any] = {"prompt_id": "p", "prompt": "x", "context": agent.context}
        for name in ("a", "b"):
            heard(send(server, "UserPromptSubmit", session_id=name, **told))
        wait_for(lambda: seen(server) == {"a", "b"}, 20)
        break_state(server, "a")
    finally:
        agent.end()
    wait_for(lambda: task(server, "b/p")["error_type"] == "ProcessEnded", 20)
    wait_for(lambda: "nonsense" in server.log, 20)
    with opened(server) as database:
        lives = database.execute("SELECT session FROM hook_sessions WHERE lives").fetchall()
    assert lives == []
