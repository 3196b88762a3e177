"""Reports in this process as a job makes them, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agent_task_tracker.address import Address
from agent_task_tracker.courier import Courier
from agent_task_tracker.credentials import ExplicitKey, StoredKey
from agent_task_tracker.finding import Found
from agent_task_tracker.reporter import Reporter
from agent_task_tracker.sender import Delivery, Sender
from agent_task_tracker.spool import HANDOVER, REJECTED, Spool
from tests.support.server import KEY, Server

NAMES = {"task": "Title", "agent": "agent-1"}


def found(url: str, key: str = KEY, *, is_kept: bool = False) -> Found:
    """A server by its address; `is_kept`: its key is from a file, and has to be proven."""
    return Found(url, StoredKey(key, "a file") if is_kept else ExplicitKey(key))


def reporter(url: str, folder: Path, key: str = KEY, timeout: float = 5.0) -> Reporter:
    """A reporter of this process, whose spool is in that folder."""
    return Reporter(lambda: found(url, key), Spool(folder), timeout=timeout)


def deliver(server: Found, folder: Path) -> Delivery:
    """Deliver what waits for the server in the folder, without patience."""
    with closing(Courier(Address(server.url, server.ca_file), server.credentials)) as courier:
        sender = Sender(Spool(folder), courier, *server.destinations())
        delivery = sender.deliver(lambda seconds: not seconds)
    assert delivery is not None, "another process is delivering"
    return delivery


def messages(server: Server, project: str) -> list[str]:
    """The messages of the project's statuses, in the order in which they were recorded."""
    return [
        str(event["data"].get("message"))
        for event in all_events(server, project)
        if event["type"] == "task_status_updated"
    ]


def all_events(server: Server, project: str) -> list[dict[str, Any]]:
    """All events of a project, oldest first."""
    found_events: list[dict[str, Any]] = []
    since, more = 0, True
    while more:
        query: Mapping[str, Any] = {"project": project, "since": since, "limit": 1000}
        page = server.http.get("/api/events", params=query).json()
        found_events += page["events"]
        since, more = page["last_id"], page["has_more"]
    return found_events


def files(folder: Path) -> list[Path]:
    """The reports that wait, in the order of their names."""
    aside = (REJECTED, HANDOVER)
    return sorted(
        path
        for path in folder.rglob("*.*")
        if path.is_file() and path.parent.name not in aside and not path.name.startswith(".")
    )
