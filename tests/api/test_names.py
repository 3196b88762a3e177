"""Projects and tasks of any name, percent-encoded in paths (docs/contract.md, "REST")."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.server import KEY, Server, quote

NAMES = [
    "org/repo",
    "/",
    "//",
    "a/../b",
    "..",
    ".",
    "tasks",
    "projects/x/tasks",
    "with space",
    " ",
    "plus+plus",
    "100%",
    "%2F",
    "%",
    "a?b=c",
    "a#b",
    "a&b;c=d",
    "Проект Ёж",
    "日本語",
    "🙂",
    "e\u0301",
    "quote\"s ' \\",
    "{name}",
    "line\nbreak",
    "tab\t\x01\x7f",
    "Ж" * 255,
    "🙂" * 255,
    "'; DROP TABLE projects; --",
]


def send(server: Server, method: str, path: str) -> tuple[int, Any]:
    """The path goes out as it stands here: most clients would resolve `..` by themselves."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request(method, path, headers={"X-API-Key": KEY})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_every_route_takes_the_name(shared_server: Server, name: str) -> None:
    assert shared_server.report("start", name, name).status_code == 201
    assert shared_server.report("start", name, "other").status_code == 201
    encoded = quote(name)

    status, tasks = send(shared_server, "GET", f"/api/projects/{encoded}/tasks")
    assert status == 200
    assert {task["task_id"] for task in tasks["tasks"]} == {name, "other"}

    status, task = send(shared_server, "GET", f"/api/projects/{encoded}/tasks/{encoded}")
    assert (status, task["project"], task["task_id"]) == (200, name, name)

    status, stats = send(shared_server, "GET", f"/api/stats/projects/{encoded}")
    assert (status, stats["project"]) == (200, name)

    query = f"?project={encoded}&task_id={encoded}"
    status, events = send(shared_server, "GET", f"/api/events{query}")
    assert [event["data"]["task_id"] for event in events["events"]] == [name]

    assert send(shared_server, "DELETE", f"/api/projects/{encoded}/tasks/{encoded}") == (204, None)
    status, tasks = send(shared_server, "GET", f"/api/projects/{encoded}/tasks")
    assert [task["task_id"] for task in tasks["tasks"]] == ["other"]
    assert send(shared_server, "DELETE", f"/api/projects/{encoded}") == (204, None)
    assert send(shared_server, "GET", f"/api/projects/{encoded}/tasks")[0] == 404


def test_every_character_may_be_encoded(shared_server: Server) -> None:
    shared_server.report("start", "plain", "plain")
    encoded = "".join(f"%{ord(letter):02x}" for letter in "plain")
    status, task = send(shared_server, "GET", f"/api/projects/{encoded}/tasks/{encoded}")
    assert (status, task["task_id"]) == (200, "plain")


def test_names_differ_by_any_character(shared_server: Server) -> None:
    same_to_the_eye = ["Case", "case", "case ", "e\u0301", "\u00e9", "a/b", "a%2Fb"]
    for name in same_to_the_eye:
        assert shared_server.report("start", name).status_code == 201
    for name in same_to_the_eye:
        assert shared_server.task(name)["project"] == name


@pytest.mark.parametrize("segment", ["%FF", "%C3%28", "%ED%A0%80", "%00", "x" * 300, "%zz"])
def test_what_cannot_be_a_name_is_not_found(shared_server: Server, segment: str) -> None:
    for path in (f"projects/{segment}/tasks", f"stats/projects/{segment}"):
        status, content = send(shared_server, "GET", f"/api/{path}")
        assert (status, content["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["projects//tasks", "projects/x/tasks//", "projects/a/b/tasks", ""]
)
def test_other_paths_are_not_found(shared_server: Server, path: str) -> None:
    status, content = send(shared_server, "GET", f"/api/{path}")
    assert (status, content["error"]["code"]) == (404, "NOT_FOUND")
