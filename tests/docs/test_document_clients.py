"""The API document's clients as printed, but for the address and the key they are given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page
from playwright.sync_api import Error as PlaywrightError

from tests.support import document
from tests.support.server import KEY, Server, wait_for

PROJECT = "my-project"  # the one of the examples


def example(heading: str, language: str, server: Server) -> str:
    """The code under a heading of the document, for this server."""
    block = re.search(rf"```{language}\n(.*?)```", document.section(heading), re.DOTALL)
    assert block is not None
    code = block[1]
    for printed, ours in (("http://localhost:8000", server.url), ("your-api-key", KEY)):
        assert code.count(printed) == 1
        code = code.replace(printed, ours)
    return code


def test_python_client(server: Server) -> None:
    names: dict[str, Any] = {}
    exec(example("Python клиент", "python", server), names)

    task = server.task(PROJECT, "task-001")  # what the example itself does
    assert (task["title"], task["agent"], task["status"]) == ("Test task", "test-agent", "running")

    client = names["AgentTaskTracker"](server.url, KEY)
    answer = client.start_task(PROJECT, "Title", "task-002", "agent", metadata={"priority": "high"})
    document.assert_like(answer, document.response("POST /webhook/start"))
    answer = client.finish_task(PROJECT, "Title", "task-002", "agent", "done", 12.5)
    document.assert_like(answer, document.response("POST /webhook/finish"))
    task = server.task(PROJECT, "task-002")
    assert (task["status"], task["result"], task["duration_seconds"]) == ("completed", "done", 12.5)
    assert task["metadata"] == {"priority": "high"}


def test_python_client_with_another_key_is_told(server: Server) -> None:
    names: dict[str, Any] = {}
    exec(example("Python клиент", "python", server), names)
    answer = names["AgentTaskTracker"](server.url, "another-key").start_task("p", "t", "1", "a")
    assert answer["error"]["code"] == "UNAUTHORIZED"


class Frontend:
    """A page of another origin that runs the document's JavaScript, and what it logged."""

    def __init__(self, page: Page, origin: str, server: Server) -> None:
        self.page = page
        self.logged: list[list[Any]] = []
        page.on("console", self._note)
        code = example("JavaScript клиент с WebSocket", "javascript", server)
        page.route(
            "**/client.js",
            lambda route: route.fulfill(body=code, content_type="text/javascript; charset=utf-8"),
        )
        page.goto(origin)

    def has_logged(self, first: str) -> list[Any] | None:
        """The arguments of the first such call of console.log()."""
        self.page.wait_for_timeout(10)  # lets playwright hear of it
        return next((line for line in self.logged if line[0] == first), None)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "log":
            self.logged.append([argument.json_value() for argument in message.args])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as page:
        page.set_default_timeout(30_000)
        yield page


HTML = "<!doctype html><title>A frontend</title><script src=client.js></script>"


@pytest.mark.browser
def test_javascript_client(
    start_server: Callable[..., Server], page_at: Callable[[str], str], page: Page
) -> None:
    origin = page_at(HTML)
    server = start_server("--cors-origin", origin)
    frontend = Frontend(page, origin, server)
    stats = wait_for(lambda: connected(server), 30, "the page's WebSocket")
    assert stats["project_connections"] == {PROJECT: 1}

    server.report("start", PROJECT)
    _, message = wait_for(lambda: frontend.has_logged("Received:"), 30, "the event")
    document.assert_like(message, document.example("task_started"))
    assert message["data"]["project"] == PROJECT

    projects = page.evaluate("client.getProjects()")
    document.assert_like(projects, document.response("GET /api/projects"))
    assert [project["name"] for project in projects["projects"]] == [PROJECT]

    assert frontend.has_logged("WebSocket connection closed") is None
    server.stop()
    wait_for(lambda: frontend.has_logged("WebSocket connection closed"), 30, "the close")


def connected(server: Server) -> dict[str, Any] | None:
    stats: dict[str, Any] = server.http.get("/api/websocket/stats").json()
    return stats if stats["total_connections"] else None


@pytest.mark.browser
def test_javascript_client_of_an_origin_that_is_not_allowed(
    start_server: Callable[..., Server], page_at: Callable[[str], str], page: Page
) -> None:
    server = start_server("--cors-origin", page_at(HTML))
    server.report("start", PROJECT)
    frontend = Frontend(page, page_at(HTML), server)
    wait_for(lambda: frontend.has_logged("WebSocket connection closed"), 30, "the refusal")
    assert frontend.has_logged("Received:") is None
    code = page.evaluate(
        """() => {
            client.connect('my-project');
            return new Promise((tell) => client.ws.addEventListener('close', (e) => tell(e.code)));
        }"""
    )
    assert code == 3003
    with pytest.raises(PlaywrightError, match="Failed to fetch"):
        page.evaluate("client.getProjects()")


@pytest.mark.browser
def test_browser_sees_why_a_key_is_refused(
    start_server: Callable[..., Server], page_at: Callable[[str], str], page: Page
) -> None:
    origin = page_at(HTML)
    server = start_server("--cors-origin", origin)
    Frontend(page, origin, server)
    closed = page.evaluate(
        f"""() => {{
            const other = new TaskTrackerClient('{server.url}', 'another-key');
            other.connect('my-project');
            return new Promise((tell) => other.ws.addEventListener(
                'close', (e) => tell([e.code, e.reason])));
        }}"""
    )
    assert closed == [3000, "unauthorized"]
