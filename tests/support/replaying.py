"""Recorded sessions of agents (tests/data/agents), sent to a server as their hooks would."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.server import Server

FOLDER: Final = Path(__file__).parents[1] / "data" / "agents"
SCENARIOS: Final = sorted(path for path in FOLDER.glob("*/*") if path.is_dir())
EXPECTED: Final = "tasks.json"

# The fields that name sessions, by all agents' names.
_SESSIONS: Final = re.compile(
    r'"(?:session_id|sessionID|sessionId|conversation_id|taskId|thread-id|parentID)": "([^"]+)"'
)
_numbers = itertools.count()


def name_of(scenario: Path) -> str:
    return f"{scenario.parent.name}-{scenario.name}"


def payloads_of(scenario: Path) -> list[dict[str, Any]]:
    """In order; each call's sessions are its own."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted(scenario.glob("*.json"))
        if path.name != EXPECTED
    ]
    sessions = {one for text in texts for one in _SESSIONS.findall(text)}
    mark = f"-{next(_numbers)}"
    found = []
    for text in texts:
        for session in sorted(sessions, key=len, reverse=True):
            text = text.replace(f'"{session}"', f'"{session}{mark}"')  # noqa: PLW2901
        found.append(json.loads(text))
    return found


class Replay:
    """A session as it is told: its n-th payload happened n times two seconds after it began, some
    minutes ago, however late it comes."""

    def __init__(self, server: Server, scenario: Path) -> None:
        self.agent, self.scenario = scenario.parent.name, scenario
        self.payloads = payloads_of(scenario)
        self._server = server
        self._begin = datetime.now(UTC) - timedelta(minutes=10)
        self._process = next(_numbers)
        self._since = server.http.get("/api/events?newest=1").json()["events"]

    def send(self, number: int, payload: object = None, key: str = "") -> httpx.Response:
        """The n-th payload, or another in its place."""
        at = self._begin + timedelta(seconds=2 * number)
        if payload is None:
            payload = _at(self.payloads[number], at)
        context = {
            **{"at": at.isoformat(), "host": "desk", "cwd": "/home/you/app"},
            **{"boot_id": "another", "pid_namespace": "1", "pid": self._process + 1},
            **{"started": "1"},
        }
        headers = {"Tracker-Context": json.dumps(context)}
        if key:
            headers["Idempotency-Key"] = f"{key}-{self._process}"
        return self._server.http.post(f"/hooks/{self.agent}", json=payload, headers=headers)

    def play(self, order: Sequence[int] = (), key: str = "") -> None:
        """All of it, in order or in another."""
        for number in order or range(len(self.payloads)):
            answer = self.send(number, key=f"{key}{number}" if key else "")
            assert answer.status_code == 200, answer.text

    def tasks(self) -> list[dict[str, Any]]:
        """What has come of it, in the order in which it began, without ids."""
        since = self._since[0]["id"] if self._since else 0
        events = self._server.http.get(f"/api/events?since={since}&limit=1000").json()["events"]
        messages: dict[tuple[str, str], list[str]] = {}
        for event in events:
            data = event["data"]
            told = messages.setdefault((data["project"], data["task_id"]), [])
            told += [data["message"]] if data.get("message") else []
        found = []
        for (project, task_id), told in messages.items():
            task = self._server.task(project, task_id)
            found.append((task["started_at"], len(found), task, told))
        titles = {task["task_id"]: task["title"] for *_, task, _ in found}
        return [_shown(task, told, titles) for *_, task, told in sorted(found, key=lambda x: x[:2])]


def _at(payload: dict[str, Any], at: datetime) -> dict[str, Any]:
    """With its own time, if it has one."""
    given = payload.get("timestamp")
    if given is None:
        return payload
    told: object = at.isoformat()
    if not isinstance(given, str) or given.isdigit():
        told = type(given)(round(at.timestamp() * 1000))
    return {**payload, "timestamp": told}


def _shown(task: dict[str, Any], told: list[str], titles: dict[str, str]) -> dict[str, Any]:
    parent = task["parent_task_id"]
    shown = {
        "title": task["title"],
        "agent": task["agent"],
        "parent": titles.get(parent, parent),
        "status": task["status"],
        "attempt": task["attempt"],
        "result": task["result"],
        "error_type": task["error_type"],
        "error_message": task["error_message"],
        "requests": [one["text"] for one in task["requests"]],
        "messages": told,
    }
    return {name: value for name, value in shown.items() if value not in (None, [], 1)}
