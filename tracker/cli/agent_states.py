"""What is known of the agents of this machine: `tracker agents` and `tracker doctor` tell it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

from agent_task_tracker import shapes
from agent_task_tracker.errors import ClientError, Refused
from agent_task_tracker.folders import spool_folder
from agent_task_tracker.spool import Spool
from tracker.agents.connect.base import Agent, Place
from tracker.agents.connect.known import known_agents
from tracker.agents.connect.ledger import Connection, Ledger
from tracker.agents.connect.looking import our_entries
from tracker.agents.connect.programs import find_program, is_installed
from tracker.cli.discovery import FoundServer
from tracker.cli.hook_keys import works

Json = dict[str, Any]

_PATIENCE: Final = 0.0


class AgentStates:
    """Looks at each agent in the places given, the user's own first."""

    def __init__(self, places: list[Place], ledger: Ledger) -> None:
        """Raises ConfigError: the ledger cannot be used."""
        self._places = places
        self._ledger = ledger
        self._connections = ledger.connections()
        self._away: set[str] = set()  # addresses at which no server answers, asked once

    def all(self, server: FoundServer | None) -> list[Json]:
        """Every agent that is known; `server` is asked when it was heard of last."""
        heard = None if server is None else _heard_of(server)
        rejected = _rejected()
        return [self._state(agent, heard, rejected) for agent in known_agents().values()]

    def connected(self) -> list[Json]:
        """Those that are connected, without what a server knows of them."""
        return [
            self._state(agent, None, Counter())
            for agent in known_agents().values()
            if agent.name in self._connections or any(self._files(agent))
        ]

    def _state(self, agent: Agent, heard: dict[str, Json] | None, rejected: Counter[str]) -> Json:
        connection = self._connections.get(agent.name)
        files = self._files(agent)
        told = None if heard is None else heard.get(agent.name, {})
        return {
            "agent": agent.name,
            "title": agent.title,
            "verified": "driven" if agent.was_driven else "read about",
            "installed": is_installed(agent, self._places[0]),
            "program": find_program(agent, self._places[0]),
            "connected": connection is not None,
            "url": connection.url if connection else None,
            "private": bool(connection and connection.options.get("private")),
            "files": [str(path) for path in files],
            "last_at": None if told is None else told.get("last_at"),
            "sessions": None if told is None else told.get("sessions", 0),
            "payloads": None if told is None else told.get("payloads", 0),
            "unknown": {} if told is None else told.get("unknown", {}),
            "rejected": rejected[agent.name],
            "problems": self._problems(agent, connection, files),
        }

    def _files(self, agent: Agent) -> dict[Path, int]:
        """The files that have hooks of ours, and how many different commands these run."""
        connection = self._connections.get(agent.name)
        recorded = [change.file for change in connection.changed] if connection else []
        paths = [path for place in self._places for path in agent.all_paths(place)]
        found = {path: our_entries(path, agent.name) for path in dict.fromkeys([*paths, *recorded])}
        return {path: count for path, count in found.items() if count}

    def _problems(
        self, agent: Agent, connection: Connection | None, files: dict[Path, int]
    ) -> list[str]:
        again = f"`tracker connect {agent.name}` mends it"
        if connection is None:
            if not files:
                return []
            names = ", ".join(map(str, files))
            return [f"{names}: has hooks, but there is no connection, so they do nothing; {again}"]
        problems = [
            f"{change.file}: what connecting added is gone; {again}"
            for change in connection.changed
            if change.file not in files
        ]
        if not connection.changed and not files:
            problems.append(f"its configuration has no hooks; {again}")
        if connection.executable and not os.access(connection.executable, os.X_OK):
            problems.append(f"{connection.executable}: is not there any more; {again}")
        problems += self._duplicates(agent, files)
        problems += self._key_problems(connection, again)
        for place in self._places:
            problems += agent.problems(place)
        return list(dict.fromkeys(problems))

    def _duplicates(self, agent: Agent, files: dict[Path, int]) -> list[str]:
        own, *others = (set(agent.all_paths(place)) & set(files) for place in self._places)
        return [
            f"{path}: has the hooks as well as {min(own)}, so all is reported twice; `tracker "
            f"disconnect {agent.name} --project` removes it there"
            for paths in others
            for path in sorted(paths - own)
            if own
        ]

    def _key_problems(self, connection: Connection, again: str) -> list[str]:
        if connection.url in self._away:
            return []
        try:
            if works(connection):
                return []
        except ClientError:  # which is no fault of the connection
            self._away.add(connection.url)
            return []
        return [f"{connection.url} does not take its key any more; {again}"]


def _heard_of(server: FoundServer) -> dict[str, Json] | None:
    """What the server says of each agent; None: it cannot be asked, or is older."""
    try:
        found = server.transport(_PATIENCE).get("/api/agents", {}, shapes.AGENTS)
    except Refused as refused:
        if refused.status in (401, 403, 404):
            return None
        raise
    except ClientError:
        return None
    return {item["agent"]: item for item in found["agents"]}


def _rejected() -> Counter[str]:
    """How many reports of each agent's hooks were put aside."""
    try:
        contents = Spool(spool_folder(os.environ)).rejected()
    except OSError:
        return Counter()
    reports = (content.get("report") for content in contents)
    return Counter(
        str(report.get("agent"))
        for report in reports
        if isinstance(report, dict) and report.get("kind") == "hook"
    )
