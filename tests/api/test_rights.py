"""Every route, with a key of every role, for all projects and for some.

What each route needs is written down here once more: a right that changes is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.described import SOCKET, Route, resources
from tests.support.keys import client_with, code_of, make_key
from tests.support.server import KEY, Server, wait_for
from tests.support.subscriber import address, subscribe
from tracker.api.middleware.auth import Rights
from tracker.domain.principal import Right

WEBHOOKS = [f"/webhook/{kind}" for kind in ("start", "status", "finish", "error", "batch")]
OF_PROJECT = "/api/projects/{project_name}"
OF_TASK = f"{OF_PROJECT}/tasks/{{task_id}}"
READ = [
    *("/api/projects", OF_PROJECT, f"{OF_PROJECT}/tasks", OF_TASK),
    *("/api/tasks", "/api/sessions", "/api/events", "/api/events/{event_id}", "/api/events/stream"),
    *("/api/stats", "/api/stats/projects/{project_name}", "/api/stats/trends", "/api/now"),
    *("/api/stats/insights", "/api/failures", "/api/timeline"),
    *("/api/search", "/api/websocket/stats", "/db-check", "/redis-check", "/ws"),
]
OPEN = [
    *("/", "/projects", "/projects/{project}", "/projects/{project}/tasks/{task}"),
    *("/projects/{project}/board", "/projects/{project}/timeline", "/stats"),
    *("/tasks", "/timeline", "/events", "/settings", "/favicon.ico", "/assets/{version}/{name}"),
    *("/docs", "/redoc", "/docs/assets/{name}", "/openapi.json"),
    *("/client.js", "/client.d.ts", "/manifest.json", "/worker.js"),
    *("/health", "/healthz", "/readyz", "/proof"),
]
ACTS = ("acknowledge", "snooze")
NEEDED = {
    **{("POST", path): "report" for path in WEBHOOKS},
    ("POST", "/hooks/{agent}"): "report",
    ("POST", "/mcp"): "signed in",  # each tool has a right of its own: test_mcp.py
    **{("POST", f"/v1/{signal}"): "report" for signal in ("logs", "metrics", "traces")},
    **{("GET", path): "read" for path in READ},
    **{("GET", path): "open" for path in OPEN},
    ("DELETE", OF_PROJECT): "admin",
    ("DELETE", OF_TASK): "admin",
    **{(method, f"{OF_TASK}/{act}"): "answer" for method in ("POST", "DELETE") for act in ACTS},
    ("POST", f"{OF_TASK}/fail"): "answer",
    ("GET", "/api/info"): "signed in",
    ("POST", "/api/session"): "read",
    ("DELETE", "/api/session"): "signed in",
    ("GET", "/api/agents"): "admin",
    ("GET", "/api/keys"): "admin",
    ("POST", "/api/keys"): "admin",
    ("DELETE", "/api/keys/{name}"): "admin",
    ("POST", "/api/keys/{name}/rotate"): "admin",
    ("GET", "/api/audit"): "admin",
}
MAY = {
    "report": {"open", "signed in", "report"},
    "read": {"open", "signed in", "read"},
    "answer": {"open", "signed in", "read", "answer"},
    "admin": {"open", "signed in", "report", "read", "answer", "admin"},
}
INSIDE, OUTSIDE = "inside", "outside"


def test_every_route_declares_what_it_needs() -> None:
    declared = {}
    for resource, routes in resources():
        assert isinstance(resource.rights, Rights), resource
        methods = {route.http_method for route in routes}
        named = {name.upper() for name, right in resource.rights._asdict().items() if right}
        assert methods == named, resource
        for route in routes:
            right: Right = resource.rights.needed(route.http_method)
            declared[route.http_method, route.path] = right.value
    assert declared == {(method, path): right for (method, path), right in NEEDED.items()}


@pytest.fixture(scope="module")
def peopled(shared_server: Server) -> Server:
    """A server with a project that keys may be for, and another one."""
    for project in (INSIDE, OUTSIDE):
        for number, kind in enumerate(("start", "finish", "error")):
            fields = {"task": f"T {project}", "agent": f"agent {project}"}
            fields |= {"session": f"session {project}", "usage": {"model": project, "cost_usd": 1}}
            assert shared_server.report(kind, project, f"{project} {number}", **fields).is_success
    found = lambda: shared_server.http.get("/api/search?q=T").json()["tasks"]  # noqa: E731
    wait_for(lambda: len(found()) == 6, 20, "the search index")
    return shared_server


# A key with the role admin is for all projects.
KEYS = [
    *((role, ()) for role in MAY),
    *((role, (INSIDE,)) for role in MAY if role != "admin"),
]


@pytest.fixture(scope="module", params=KEYS, ids=str)
def made(request: pytest.FixtureRequest, peopled: Server) -> tuple[str, str]:
    """A role, and a key with it."""
    role, projects = request.param
    return role, make_key(peopled, f"{role}-{len(projects)}", role, *projects)


def test_a_key_may_do_what_its_role_says_and_no_more(
    peopled: Server, made: tuple[str, str]
) -> None:
    role, key = made
    with client_with(peopled, key) as client:
        for (method, path), right in NEEDED.items():
            if path == SOCKET:
                continue
            status = ask(client, method, path)
            assert status != 401, (method, path)
            assert (status == 403) == (right not in MAY[role]), (method, path, status)


def test_a_websocket_is_opened_for_readers_only(peopled: Server, made: tuple[str, str]) -> None:
    role, key = made
    with subscribe(address(peopled, INSIDE, since=0, api_key=key)) as subscriber:
        if "read" in MAY[role]:
            assert json.loads(subscriber.recv(timeout=20))["data"]["project"] == INSIDE
        else:
            with pytest.raises(ConnectionClosed) as closed:
                subscriber.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 3003
            assert "role report" in closed.value.rcvd.reason


@pytest.fixture(scope="module")
def reader(peopled: Server) -> Iterator[httpx.Client]:
    with client_with(peopled, make_key(peopled, "reader", "read", INSIDE)) as client:
        yield client


def test_what_is_outside_is_not_there(reader: httpx.Client) -> None:
    for method, path in NEEDED:
        if method == "GET" and path.startswith("/api/") and not path.endswith("/stream"):
            for name in (INSIDE, OUTSIDE):
                url = path.replace("{project_name}", name).replace("{task_id}", f"{name} 1")
                answer = reader.get(url, params={"q": "T"})
                if answer.status_code == 403:
                    continue
                if ("{" in path and name == OUTSIDE) or "{event_id}" in path:
                    assert code_of(answer) == (404, "NOT_FOUND"), url
                    continue
                assert answer.status_code == 200, url
                assert OUTSIDE not in answer.text, url
                if "websocket" not in path:
                    assert INSIDE in answer.text, url


def test_nor_is_one_event(peopled: Server, reader: httpx.Client) -> None:
    for name, status in ((INSIDE, 200), (OUTSIDE, 404)):
        event_id = peopled.report("status", name, "one").json()["event_id"]
        assert reader.get(f"/api/events/{event_id}").status_code == status
        assert peopled.http.get(f"/api/events/{event_id}").json()["id"] == event_id


@pytest.mark.parametrize("query", ["", "&task_id=outside 1", "&type=task_started", "&newest=10"])
def test_nor_are_its_events(reader: httpx.Client, query: str) -> None:
    assert OUTSIDE not in reader.get(f"/api/events?since=0{query}").text
    answer = reader.get(f"/api/events?since=0&project={OUTSIDE}{query}").json()
    assert answer["events"] == []


def test_nor_does_a_stream_or_a_socket_tell_of_them(peopled: Server) -> None:
    key = make_key(peopled, "watcher", "read", INSIDE)
    with (
        client_with(peopled, key) as client,
        client.stream("GET", "/api/events/stream?since=0") as sse,
        subscribe(address(peopled, since=0, api_key=key)) as all_,
        subscribe(address(peopled, OUTSIDE, since=0, api_key=key)) as none,
    ):
        peopled.report("start", OUTSIDE, "late")
        last = peopled.report("start", INSIDE, "late").json()["event_id"]
        seen = ""
        for text in sse.iter_text():
            seen += text
            if f"id: {last}\n" in seen:
                break
        messages = [json.loads(all_.recv(timeout=20))]
        while messages[-1]["id"] != last:
            messages.append(json.loads(all_.recv(timeout=20)))
        none.send('{"type":"ping"}')
        assert json.loads(none.recv(timeout=20))["type"] == "pong"
    assert OUTSIDE not in seen
    assert {message["data"]["project"] for message in messages} == {INSIDE}


def test_a_report_to_it_is_refused_alone(peopled: Server) -> None:
    reports = [
        {"kind": "start", "project": name, "task": "T", "task_id": "batched", "agent": "a"}
        for name in (INSIDE, OUTSIDE)
    ]
    with client_with(peopled, make_key(peopled, "reporter", "report", INSIDE)) as client:
        for one in reports:
            answer = client.post("/webhook/start", json={**one, "task_id": "single"})
            assert answer.status_code == (201 if one["project"] == INSIDE else 403), answer.text
        results = client.post("/webhook/batch", json={"reports": reports}).json()["results"]
    assert [result["status"] for result in results] == [201, 403]
    assert results[1]["error"]["code"] == "FORBIDDEN"
    for task in ("single", "batched"):
        assert peopled.http.get(f"/api/projects/{OUTSIDE}/tasks/{task}").status_code == 404
    assert "another project" in refusals(peopled, "reporter")


def refusals(server: Server, name: str) -> set[str]:
    def noted() -> set[str]:
        entries = server.http.get("/api/audit", params={"by": name}).json()["entries"]
        return {entry["subject"] for entry in entries}

    return wait_for(noted, 20, "the entry in the audit log")


def ask(client: httpx.Client, method: str, path: str) -> int:
    """The status of a request that changes nothing of the shared projects."""
    url = Route(method, path).url
    if path.startswith("/webhook/"):
        report = {"project": INSIDE, "task": "T", "task_id": "walked", "agent": "a"}
        report |= {"error_type": "E", "error_message": "m"}
        body = {"reports": [{"kind": "start", **report}]} if path.endswith("batch") else report
        return client.post(url, json=body).status_code
    if path == "/api/session":
        client.cookies.clear()
    if path.endswith("/stream"):
        with client.stream(method, url) as answer:
            return answer.status_code
    return client.request(method, url, json={} if method == "POST" else None).status_code


def test_the_master_key_may_do_everything(peopled: Server) -> None:
    with client_with(peopled, KEY) as client:
        for method, path in NEEDED:
            if path != SOCKET:
                assert ask(client, method, path) not in (401, 403), (method, path)
