"""What is deleted goes from every page that shows it: at once, and for who was offline."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server, quote

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def delete(server: Server, project: str, task: str | None = None) -> None:
    path = f"/api/projects/{quote(project)}" + (f"/tasks/{quote(task)}" if task else "")
    assert server.http.delete(path).status_code == 204


def test_now_and_its_counts(open_dashboard: Open, server: Server) -> None:
    for task in ("a", "b", "c"):
        server.report("start", "p", task, task=f"Task {task}")
    server.report("error", "p", "d", task="Task d", error_type="E", error_message="m")
    server.report("start", "q", "e", task="Task e")
    dashboard = open_dashboard(server=server)
    running, failed = (
        dashboard.page.get_by_role("list", name="How much goes on").get_by_role("link", name=name)
        for name in ("running", "failed")
    )
    expect(running).to_contain_text("4")
    expect(failed).to_contain_text("1")
    delete(server, "p", "a")
    expect(dashboard.lines("Task a")).to_have_count(0)
    expect(running).to_contain_text("3")
    dashboard.page.context.set_offline(True)
    expect(dashboard.page.locator(".state")).to_have_attribute("data-state", "offline")
    delete(server, "p", "b")
    delete(server, "p")
    server.report("start", "p", "c", task="Task c, anew")
    dashboard.page.context.set_offline(False)
    expect(dashboard.lines("Task b")).to_have_count(0)
    expect(dashboard.lines("Task c, anew")).to_have_count(1)
    expect(dashboard.lines("Task e")).to_have_count(1)
    expect(running).to_contain_text("2")


@pytest.mark.parametrize("path", ["/tasks", "/projects/p", "/projects/p/board"])
def test_lists(open_dashboard: Open, server: Server, path: str) -> None:
    for number in range(150):  # two pages of rows
        server.report("start", "p", f"{number}", task=f"Task {number:03}")
    dashboard = open_dashboard(path, server=server)
    shown = dashboard.page.locator("main").get_by_role("link", name="Task 140")
    expect(shown).to_be_visible()
    delete(server, "p", "140")
    expect(shown).to_have_count(0)


def test_events_and_the_project_itself(open_dashboard: Open, server: Server) -> None:
    server.report("start", "p <b>", "a", task="Alpha")
    events = open_dashboard("/events", server=server).page
    of_project = open_dashboard("/projects/p%20%3Cb%3E", server=server)
    expect(of_project.page.get_by_role("link", name="Alpha")).to_be_visible()
    delete(server, "p <b>", "a")
    delete(server, "p <b>")
    rows = events.locator("event-row:visible")
    expect(rows.first).to_contain_text("Project deleted")
    expect(rows.first).to_contain_text("p <b>")
    expect(rows.nth(1)).to_contain_text("Deleted")
    expect(rows.nth(1)).to_contain_text("Alpha")
    expect(of_project.page.get_by_text("There is no project of this name")).to_be_visible()
