"""What the server shows of what an agent told it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.support.server import Server, quote, wait_for

SECONDS = 30  # what waited in the spool is tried again within a few


class Shown(NamedTuple):
    """A task, as far as tests look at it. `parent`: the title of the one that started it."""

    title: str
    status: str
    agent: str
    parent: str | None = None
    ended_by: str | None = None  # the type of its error, else its result

    @classmethod
    def of(cls, task: dict[str, Any], titles: dict[str, str]) -> Shown:
        parent = task.get("parent_task_id")
        ended_by = task.get("error_type") or task.get("result")
        return cls(
            task["title"],
            task["status"],
            task["agent"],
            titles.get(parent, parent) if parent else None,
            ended_by,
        )


def tasks(server: Server, project: str = "app") -> list[dict[str, Any]]:
    """The tasks of a project with their events, in the order in which they began."""
    answer = server.http.get(f"/api/projects/{quote(project)}/tasks", params={"limit": 500})
    if answer.status_code == 404:
        return []
    listed = sorted(answer.json()["tasks"], key=lambda task: str(task["started_at"]))
    return [server.task(project, task["task_id"]) for task in listed]


def shown(server: Server, project: str = "app") -> list[Shown]:
    """The same in short."""
    found = tasks(server, project)
    titles = {task["task_id"]: task["title"] for task in found}
    return [Shown.of(task, titles) for task in found]


def wait_until_shown(server: Server, *expected: Sequence[Shown], project: str = "app") -> None:
    """Until the tasks are these, or those, in any order. Fails with what is there instead."""
    wanted = [sorted(map(str, tasks)) for tasks in expected]

    def is_shown() -> bool:
        return sorted(map(str, shown(server, project))) in wanted

    try:
        wait_for(is_shown, SECONDS, "the tasks")
    except AssertionError as error:
        found = "\n".join(map(str, shown(server, project)))
        raise AssertionError(f"{error}; there are\n{found}") from None


def messages(server: Server, title: str, project: str = "app") -> list[str]:
    """What a task said, oldest first."""
    found = next(task for task in tasks(server, project) if task["title"] == title)
    said = (event["data"].get("message") for event in found["events"])
    return [message for message in said if message]


def sessions(server: Server, project: str = "app") -> list[dict[str, Any]]:
    """The sessions of a project, oldest first."""
    found = server.http.get("/api/sessions", params={"project": project}).json()["sessions"]
    return sorted(found, key=lambda session: str(session["first_report_at"]))
