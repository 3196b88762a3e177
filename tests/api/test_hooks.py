"""Agents' own payloads through the socket: `POST /hooks/AGENT`, `GET /api/agents`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.keys import client_with, code_of, make_key
from tests.support.server import Server

CONTEXT = "Tracker-Context"
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def moment(seconds: float) -> str:
    """So many after an hour ago: what is older than a month counts as a month old."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def send(
    server: Server,
    event: str,
    *,
    at: int | None = None,
    agent: str = "claude-code",
    context: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    client: httpx.Client | None = None,
    **payload: Any,
) -> httpx.Response:
    """An agent's payload; `at`: see `moment`."""
    told = dict(context or {})
    if at is not None:
        told["at"] = moment(at)
    return (client or server.http).post(
        f"/hooks/{agent}",
        json={"session_id": "s", "cwd": "/home/you/app", "hook_event_name": event, **payload},
        headers={CONTEXT: json.dumps(told), **(headers or {})},
    )


def heard(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    ids: list[int] = answer.json()["event_ids"]
    return ids


def task(server: Server, task_id: str, project: str = "app") -> dict[str, Any]:
    answer = server.http.get(f"/api/projects/{project}/tasks/{task_id.replace('/', '%2F')}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def events(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.http.get("/api/events").json()["events"]
    return found


def session(server: Server) -> dict[str, Any]:
    (found,) = server.http.get("/api/sessions").json()["sessions"]
    assert isinstance(found, dict)
    return found


def test_a_prompt_is_a_task(server: Server) -> None:
    heard(send(server, "SessionStart", at=0, source="startup", model="m"))
    assert session(server)["state"] == "your_turn"
    heard(send(server, "UserPromptSubmit", at=1, prompt_id="p", prompt="\nMend the tests\nall"))
    assert session(server)["state"] == "working"
    begun = task(server, "s/p")
    assert begun["title"] == "Mend the tests"
    assert begun["metadata"] == {
        "cwd": "/home/you/app",
        "model": "m",
        "prompt": "Mend the tests\nall",
    }
    tool = {"tool_name": "Edit", "tool_input": {"file_path": "/home/you/app/a/b.py"}}
    heard(send(server, "PreToolUse", at=3, prompt_id="p", tool_use_id="t", **tool))
    assert task(server, "s/p")["message"] == "Edit a/b.py"
    heard(send(server, "PostToolUse", at=4, prompt_id="p", tool_use_id="t", **tool))
    heard(send(server, "Stop", at=9, prompt_id="p", last_assistant_message="Done"))
    ended = task(server, "s/p")
    assert (ended["status"], ended["result"], ended["duration_seconds"]) == ("completed", "Done", 8)
    assert session(server)["state"] == "your_turn"
    heard(send(server, "SessionEnd", at=10, reason="other"))
    assert session(server)["state"] == "ended"


def test_whose_turn_it_is_is_seen_to_by_the_last_task(server: Server) -> None:
    heard(send(server, "SessionStart", at=0, source="startup"))
    assert session(server)["last_task"] is None
    for number in range(2):
        prompt = str(number)
        heard(send(server, "UserPromptSubmit", at=1 + number, prompt_id=prompt, prompt="x"))
        heard(send(server, "Stop", at=1.5 + number, prompt_id=prompt))
        last = session(server)["last_task"]
        assert (last["task_id"], last["acknowledged_at"]) == (f"s/{prompt}", None)
        path = f"/api/projects/app/tasks/s%2F{prompt}/acknowledge"
        seen = server.http.post(path).json()["acknowledged_at"]
        assert session(server)["last_task"]["acknowledged_at"] == seen is not None
        assert session(server)["state"] == "your_turn"


def test_messages_come_at_most_once_a_second(server: Server) -> None:
    heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
    for at in (5.0, 5.4, 5.999, 6.0, 6.5):
        tool = {"tool_name": "Bash", "tool_input": {"command": f"echo {at}"}}
        context = {"at": moment(at)}
        call = {"prompt_id": "p", "tool_use_id": f"{at}"}
        heard(send(server, "PreToolUse", context=context, **call, **tool))
    told = [event["data"].get("message") for event in events(server)]
    assert told == [None, "Bash: echo 5.0", "Bash: echo 6.0"]


class TestAttention:
    def ask(self, server: Server, at: int, command: str, call: str | None) -> None:
        tool = {"tool_name": "Bash", "tool_input": {"command": command}}
        if call is not None:
            heard(send(server, "PreToolUse", at=at, prompt_id="p", tool_use_id=call, **tool))
        heard(send(server, "PermissionRequest", at=at, prompt_id="p", **tool))

    def open(self, server: Server) -> list[tuple[str, str]]:
        return [(one["id"], one["text"]) for one in task(server, "s/p")["requests"]]

    def test_parallel_requests_have_their_own_ids(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        self.ask(server, 1, "rm a", "t1")
        self.ask(server, 2, "rm b", "t2")
        assert self.open(server) == [("t1", "Allow Bash: rm a?"), ("t2", "Allow Bash: rm b?")]
        assert session(server)["state"] == "waiting"
        tool = {"tool_name": "Bash", "tool_input": {"command": "rm a"}}
        heard(send(server, "PostToolUse", at=3, prompt_id="p", tool_use_id="t1", **tool))
        assert self.open(server) == [("t2", "Allow Bash: rm b?")]
        denied = {"tool_name": "Bash", "tool_input": {"command": "rm b"}, "reason": "no"}
        heard(send(server, "PermissionDenied", at=5, prompt_id="p", tool_use_id="t2", **denied))
        assert self.open(server) == []
        assert task(server, "s/p")["message"] == "Bash: rm b was denied: no"

    def test_one_that_comes_after_its_answer_opens_nothing(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        tool = {"tool_name": "Bash", "tool_input": {"command": "rm a"}}
        heard(send(server, "PostToolUse", at=4, prompt_id="p", tool_use_id="t1", **tool))
        self.ask(server, 2, "rm a", "t1")
        assert self.open(server) == []

    @pytest.mark.parametrize(
        ("tool", "given", "text"),
        [
            (
                "AskUserQuestion",
                {"questions": [{"question": "Red or blue?"}, {"question": "Why?"}]},
                "Red or blue? Why?",
            ),
            ("ExitPlanMode", {"plan": "# Rebuild\n1."}, "Approve the plan: # Rebuild"),
        ],
    )
    def test_a_question_or_a_plan_is_one_at_once(
        self, server: Server, tool: str, given: dict[str, Any], text: str
    ) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        call = {"prompt_id": "p", "tool_name": tool, "tool_input": given, "tool_use_id": "t"}
        heard(send(server, "PreToolUse", at=1, **call))
        heard(send(server, "PermissionRequest", at=1, **{**call, "tool_use_id": None}))
        assert self.open(server) == [("t", text)]
        answered = {**call, "tool_input": {**given, "answers": {"Red or blue?": "Red"}}}
        heard(send(server, "PostToolUse", at=8, **answered))
        assert self.open(server) == []

    def test_a_notification_without_a_request_asks(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        note = {"notification_type": "permission_prompt", "message": "Claude needs you"}
        heard(send(server, "Notification", at=6, prompt_id="p", **note))
        assert self.open(server) == [("", "Claude needs you")]
        tool = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t"}
        heard(send(server, "PreToolUse", at=6, prompt_id="p", **tool))
        assert self.open(server) == []


class TestSubagents:
    def begin(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        given = {"subagent_type": "Explore", "description": "Find files"}
        call = {"tool_name": "Agent", "tool_input": given, "tool_use_id": "t"}
        heard(send(server, "PreToolUse", at=1, prompt_id="p", **call))
        child = {"agent_id": "a1", "agent_type": "Explore"}
        heard(send(server, "SubagentStart", at=2, prompt_id="p", **child))
        tool = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "u"}
        heard(send(server, "PreToolUse", at=4, prompt_id="p", **child, **tool))

    def test_one_is_a_task_of_its_own(self, server: Server) -> None:
        self.begin(server)
        child = task(server, "s/a1")
        assert (child["agent"], child["title"]) == ("claude-code/Explore", "Find files")
        assert (child["parent_task_id"], child["message"]) == ("s/p", "Bash: ls")

    def test_it_may_outlive_its_turn(self, server: Server) -> None:
        self.begin(server)
        heard(send(server, "Stop", at=5, prompt_id="p", last_assistant_message="Started it"))
        assert task(server, "s/p")["status"] == "completed"
        assert task(server, "s/a1")["status"] == "running"
        stop = {"agent_id": "a1", "agent_type": "Explore", "last_assistant_message": "Three"}
        heard(send(server, "SubagentStop", at=9, prompt_id="p", **stop))
        assert (task(server, "s/a1")["status"], task(server, "s/a1")["result"]) == (
            "completed",
            "Three",
        )

    def test_it_is_interrupted_with_the_turn_that_waits_for_it(self, server: Server) -> None:
        self.begin(server)
        heard(send(server, "UserPromptSubmit", at=9, prompt_id="q", prompt="Something else"))
        assert task(server, "s/q")["status"] == "running"
        heard(send(server, "Stop", at=10, prompt_id="q", last_assistant_message="Did that"))
        assert task(server, "s/p")["error_type"] == "Interrupted"
        assert task(server, "s/a1")["error_type"] == "Interrupted"


class TestPromptsWhileATurnRuns:
    """Claude Code tells of a prompt as it is typed, and does it later."""

    def begin(self, server: Server, *, is_at_work: bool) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        if is_at_work:
            self.tool(server, "PreToolUse", 1, "p")
        heard(send(server, "UserPromptSubmit", at=2, prompt_id="q", prompt="y"))

    def tool(self, server: Server, event: str, at: int, prompt_id: str) -> None:
        tool = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t"}
        heard(send(server, event, at=at, prompt_id=prompt_id, **tool))

    def statuses(self, server: Server) -> list[str]:
        return [task(server, f"s/{name}")["status"] for name in ("p", "q")]

    def test_a_turn_with_a_tool_at_work_goes_on(self, server: Server) -> None:
        self.begin(server, is_at_work=True)
        assert self.statuses(server) == ["running", "running"]
        self.tool(server, "PostToolUse", 3, "p")
        heard(send(server, "Stop", at=4, prompt_id="p", last_assistant_message="One"))
        assert self.statuses(server) == ["completed", "running"]
        heard(send(server, "Stop", at=5, prompt_id="q", last_assistant_message="Two"))
        assert self.statuses(server) == ["completed", "completed"]

    def test_both_are_done_with_the_turn_that_answers_both(self, server: Server) -> None:
        self.begin(server, is_at_work=True)
        self.tool(server, "PostToolUse", 3, "q")
        heard(send(server, "Stop", at=4, prompt_id="q", last_assistant_message="Both"))
        assert self.statuses(server) == ["completed", "completed"]

    def test_one_that_went_into_the_turn_before_it_is_done_with_it(self, server: Server) -> None:
        self.begin(server, is_at_work=True)
        self.tool(server, "PostToolUse", 3, "p")
        heard(send(server, "Stop", at=4, prompt_id="p", last_assistant_message="Both"))
        idle = {"notification_type": "idle_prompt"}
        heard(send(server, "Notification", at=64, prompt_id="q", **idle))
        assert self.statuses(server) == ["completed", "completed"]

    def test_a_turn_that_was_taken_to_be_interrupted_ends_as_it_says(self, server: Server) -> None:
        self.begin(server, is_at_work=False)
        assert self.statuses(server) == ["failed", "running"]
        heard(send(server, "Stop", at=4, prompt_id="p", last_assistant_message="One"))
        ended = task(server, "s/p")
        assert (ended["status"], ended["result"], ended["attempt"]) == ("completed", "One", 1)


class TestEnds:
    def test_what_runs_in_the_background_keeps_the_turn_open(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        running = [{"id": "b", "status": "running", "description": "tail logs"}]
        told = {"last_assistant_message": "Watching", "background_tasks": running}
        heard(send(server, "Stop", at=3, prompt_id="p", **told))
        begun = task(server, "s/p")
        assert (begun["status"], begun["message"]) == ("running", "In the background: tail logs")
        heard(send(server, "UserPromptSubmit", at=5, prompt_id="q", prompt="y"))
        assert (task(server, "s/p")["status"], task(server, "s/p")["result"]) == (
            "completed",
            "Watching",
        )

    def test_a_failure_has_its_reason(self, server: Server) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        told = {"error": "rate_limit", "last_assistant_message": "API Error: 429"}
        heard(send(server, "StopFailure", at=3, prompt_id="p", **told))
        failed = task(server, "s/p")
        assert (failed["status"], failed["error_type"]) == ("failed", "rate_limit")
        assert failed["error_message"] == "API Error: 429"

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ("SessionEnd", {"reason": "other"}),
            ("Notification", {"notification_type": "idle_prompt", "message": "waiting"}),
            ("SessionStart", {"source": "resume"}),
            ("UserPromptSubmit", {"prompt_id": "q", "prompt": "y"}),
            (
                "PostToolUseFailure",
                {"prompt_id": "p", "tool_name": "Bash", "error": "x", "is_interrupt": True},
            ),
        ],
    )
    def test_an_interrupt_is_ended_by_what_comes_next(
        self, server: Server, event: str, told: dict[str, Any]
    ) -> None:
        heard(send(server, "UserPromptSubmit", at=0, prompt_id="p", prompt="x"))
        heard(send(server, event, at=60, **told))
        failed = task(server, "s/p")
        assert (failed["status"], failed["error_type"]) == ("failed", "Interrupted")

    def test_what_is_late_opens_nothing_again(self, server: Server) -> None:
        heard(send(server, "Stop", at=9, prompt_id="p", last_assistant_message="Done"))
        tool = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t"}
        heard(send(server, "PreToolUse", at=3, prompt_id="p", **tool))
        heard(send(server, "UserPromptSubmit", at=1, prompt_id="p", prompt="Mend it"))
        ended = task(server, "s/p")
        assert (ended["status"], ended["title"], ended["attempt"]) == ("completed", "Mend it", 1)
        assert ended["duration_seconds"] == 8


class TestProjects:
    def at(self, server: Server, session_id: str, **context: str) -> str:
        answer = send(
            server, "UserPromptSubmit", session_id=session_id, prompt="x", context=context, cwd=""
        )
        *_, event_id = heard(answer)
        project: str = server.http.get(f"/api/events/{event_id}").json()["data"]["project"]
        return project

    def test_it_is_the_main_worktree_of_the_first_payload(self, server: Server) -> None:
        assert self.at(server, "s", worktree="/home/you/app") == "app"
        assert self.at(server, "s", worktree="/home/you/other") == "app"

    def test_a_second_folder_of_the_name_is_told_apart(self, server: Server) -> None:
        assert self.at(server, "1", worktree="/home/you/app") == "app"
        assert self.at(server, "2", worktree="/srv/shop/app") == "shop/app"
        assert self.at(server, "3", worktree="/home/you/app") == "app"
        assert self.at(server, "4", worktree="C:\\work\\other") == "other"
        assert self.at(server, "5") == "unnamed"
        assert self.at(server, "6") == "unnamed"

    def test_clones_of_one_repository_are_one_project(self, server: Server) -> None:
        remote = "https://forge.example/you/app.git"
        assert self.at(server, "1", worktree="/home/you/app", host="a", remote=remote) == "app"
        assert self.at(server, "2", worktree="/srv/app", host="b", remote=remote) == "app"


def test_sessions_are_found_by_host(server: Server) -> None:
    for at, (name, host, cwd, event) in enumerate(
        [
            ("a", "laptop", "/home/you/app", "SessionStart"),
            ("b", "laptop", "/home/you/web", "SessionEnd"),
            ("c", "box", "/home/you/app", "SessionStart"),
            ("d", None, "/home/you/app", "SessionStart"),
        ]
    ):
        context = {"at": moment(at), "host": host}
        prompt = {"session_id": name, "cwd": cwd, "prompt_id": "p", "prompt": "x"}
        heard(send(server, "UserPromptSubmit", context=context, **prompt))
        heard(send(server, event, context=context, session_id=name, cwd=cwd))

    def found(client: httpx.Client = server.http, **query: object) -> tuple[str, int]:
        answer = client.get("/api/sessions", params=query).json()  # type: ignore[arg-type]
        return "".join(one["session"] for one in answer["sessions"]), answer["total"]

    assert found(host="laptop") == ("ba", 2)
    assert found(host="laptop", limit=1, offset=1) == ("a", 2)
    assert found(host="laptop", active=1) == ("a", 1)
    assert found(host="laptop", active=0, project="web") == ("b", 1)
    assert found(host="laptop", project="app") == ("a", 1)
    assert found(host="nowhere") == ("", 0)
    assert found(host="box", active=1) == ("c", 1)
    assert found(host="") == ("dcba", 4)
    with client_with(server, make_key(server, "reader", "read", "app")) as reader:
        assert found(reader, host="laptop") == ("a", 1)
        assert found(reader, host="laptop", active=0) == found(reader, host="box") == ("", 0)


class TestRequests:
    def test_the_same_key_records_once(self, server: Server) -> None:
        key = {"Idempotency-Key": "k"}
        told = {"prompt_id": "p", "prompt": "x", "headers": key}
        assert len(heard(send(server, "UserPromptSubmit", at=0, **told))) == 1
        again = send(server, "UserPromptSubmit", at=0, **told)
        assert heard(again) == []
        assert again.headers["Idempotent-Replayed"] == "true"
        other = send(server, "Stop", at=0, headers=key)
        assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert len(events(server)) == 1

    def test_a_key_is_of_one_agent(self, server: Server) -> None:
        told = {"prompt": "x", "headers": {"Idempotency-Key": "k"}}
        heard(send(server, "UserPromptSubmit", **told))
        reused = send(server, "UserPromptSubmit", agent="codex", **told)
        assert code_of(reused) == (422, "IDEMPOTENCY_KEY_REUSED")

    def test_events_that_are_not_known_are_kept_and_counted(self, server: Server) -> None:
        assert heard(send(server, "Brewed", coffee=1)) == []
        assert heard(send(server, "Brewed")) == []
        assert heard(send(server, "MessageDisplay")) == []
        (found,) = server.http.get("/api/agents").json()["agents"]
        assert (found["agent"], found["payloads"], found["sessions"]) == ("claude-code", 3, 1)
        assert found["unknown"] == {"Brewed": 2}

    def test_a_payload_of_no_session_is_refused(self, server: Server) -> None:
        answer = server.http.post("/hooks/claude-code", json={"hook_event_name": "Stop"})
        assert answer.status_code == 422
        assert answer.json()["error"]["details"]["field"] == "session_id"

    def test_a_context_that_cannot_be_read_loses_nothing(self, server: Server) -> None:
        odd = ("", "{", "[]", '{"at": "soon"}', '{"at": 5}', '{"pid": "x", "host": []}', "\xff")
        for number, context in enumerate(odd):
            answer = server.http.post(
                "/hooks/claude-code",
                json={
                    **{"session_id": "s", "cwd": "/home/you/app", "prompt": "x"},
                    **{"hook_event_name": "UserPromptSubmit", "prompt_id": str(number)},
                },
                headers=[(CONTEXT.encode(), context.encode("latin-1"))],
            )
            heard(answer)
            assert task(server, f"s/{number}")["status"] == "running", context

    def test_an_agent_that_is_not_known_is_not_found(self, server: Server) -> None:
        answer = send(server, "Stop", agent="nobody")
        assert answer.status_code == 404
        assert "claude-code" in answer.json()["error"]["message"]

    def test_a_key_for_other_projects_reports_nothing(self, server: Server) -> None:
        key = make_key(server, "other", "report", "other")
        with client_with(server, key) as client:
            answer = send(server, "UserPromptSubmit", prompt="x", client=client)
            assert answer.status_code == 403
        assert server.http.get("/api/projects").json()["projects"] == []

    def test_odd_fields_never_fail(self, server: Server) -> None:
        names = (
            *("prompt", "prompt_id", "tool_name", "tool_input", "tool_use_id", "agent_id"),
            *("agent_type", "background_tasks", "last_assistant_message", "cwd", "model"),
        )
        odd: tuple[Any, ...] = (
            *(None, 5, [], {"a": []}, [None], "x" * 50_000, "\u202e\x1b[31m", "\0", "a/b", ""),
        )
        events = ("UserPromptSubmit", "PreToolUse", "PermissionRequest", "Stop", "SubagentStart")
        for value, event in itertools.product(odd, events):
            heard(send(server, event, **dict.fromkeys(names, value)))
            assert server.http.get("/api/sessions").status_code == 200
        for value in odd:
            answer = server.http.post(
                "/hooks/claude-code", json={"session_id": "s", "hook_event_name": value}
            )
            heard(answer)
