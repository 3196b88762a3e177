"""What chooses among tasks, in the SDK and in the types of `/client.js`: all that the API takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent_task_tracker import Client
from agent_task_tracker.filters import TaskFilters
from tests.support.server import KEY, Server

PAGE = {"limit", "offset", "sort_by", "sort_order", "figures"}


def parameters(server: Server, path: str) -> set[str]:
    """Those of a query, as `/openapi.json` has them."""
    operation = server.http.get("/openapi.json").json()["paths"][path]["get"]
    return {one["name"] for one in operation["parameters"] if one.get("in") == "query"}


def typed(server: Server, interface: str) -> set[str]:
    """The fields of an interface of `/client.d.ts`."""
    types = server.http.get("/client.d.ts").text
    found = re.search(rf"interface {interface}( extends (\w+))? {{(.*?)^}}", types, re.S | re.M)
    assert found is not None
    inherited = typed(server, found[2]) if found[2] else set()
    return inherited | set(re.findall(r"^  (\w+)\?:", found[3], re.M))


def test_types_have_all_parameters_and_no_others(shared_server: Server) -> None:
    of_project = parameters(shared_server, "/api/projects/{project_name}/tasks")
    assert TaskFilters.__annotations__.keys() == of_project - PAGE
    # The project is an argument by itself.
    assert typed(shared_server, "TasksQuery") == parameters(shared_server, "/api/tasks") - {
        "project"
    }
    assert typed(shared_server, "TimelineQuery") == parameters(shared_server, "/api/timeline")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "ab"),
        ({"title": "First"}, "a"),
        ({"status": "failed,pending"}, "b"),
        ({"cost_min": 0.5, "model": "m"}, "a"),
        ({"attention": True}, "a"),
        ({"attention": False}, "b"),
        ({"attempt_min": 2, "agent": None}, ""),
        ({"since": "1h", "parent": "a"}, "b"),
    ],
)
def test_what_is_chosen(
    shared_server: Server, project: str, chosen: dict[str, Any], expected: str
) -> None:
    usage = {"model": "m", "cost_usd": 0.5}
    shared_server.report("start", project, "a", task="First", attention="Go on?", usage=usage)
    shared_server.report("error", project, "b", task="Other", parent_task_id="a")
    client = Client(shared_server.url, KEY)
    assert "".join(sorted(task["task_id"] for task in client.tasks(project, **chosen))) == expected
    assert client.timeline(project=project, **chosen)["total"] == len(expected)
    assert client.timeline("2h", "1h", project=project, **chosen)["total"] == 0
