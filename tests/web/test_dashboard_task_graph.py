"""What a task depends on and has started, drawn."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.dashboard import Dashboard
from tests.support.server import Server
from tests.support.task_page import path_of

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]


def test_the_graph_shows_what_belongs_to_it(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    def start(task_id: str, title: str, **fields: object) -> None:
        shared_server.report("start", project, task_id, task=title, **fields)

    start("lead", "The lead")
    start("plan", "The plan")
    needs = {"dependencies": ["plan", "none such", 7]}
    start("task-1", "In the middle", parent_task_id="lead", metadata=needs, session="s")
    start("part", "A <b>part</b>", parent_task_id="task-1", session="s")
    start("other", "Of no concern", session="s")
    dashboard = open_dashboard(path_of(project, tab="graph"))
    page = dashboard.page
    nodes = page.locator(".graph-node")
    expect(nodes).to_have_count(5)
    expect(nodes.filter(has_text="In the middle")).to_have_attribute("aria-current", "page")
    expect(nodes.filter(has_text="none such")).to_contain_text("Not known")
    expect(nodes.filter(has_text="A <b>part</b>").locator(".icon-running")).to_be_visible()
    expect(page.locator(".graph-edge")).to_have_count(4)
    words = page.get_by_role("list", name="The graph in words")
    expect(words).to_contain_text(
        "In the middle: Running; depends on The plan, none such; started by The lead"
    )
    shared_server.report("error", project, "part", task="")
    expect(nodes.filter(has_text="part")).to_contain_text("Failed")
    start("deeper", "Deeper", parent_task_id="part", session="s")
    expect(nodes).to_have_count(6)
    middle = nodes.filter(has_text="In the middle")
    middle.focus()
    page.keyboard.press("ArrowRight")
    expect(nodes.filter(has_text="part")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(nodes.filter(has_text="Deeper")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(middle).to_be_focused()
    assert nodes.evaluate_all("all => all.filter(({ tabIndex }) => tabIndex === 0).length") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("The (plan|lead)"))


def test_a_graph_says_what_it_leaves_out(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    of = {"kind": "start", "project": project, "task": "Part", "agent": "a", "session": "s"}
    reports = [{**of, "task_id": f"t{n}", "parent_task_id": "task-1"} for n in range(240)]
    shared_server.http.post("/webhook/batch", json={"reports": reports})
    shared_server.report("start", project, session="s")
    page = open_dashboard(path_of(project, tab="graph")).page
    expect(page.get_by_text("The nearest 200 are shown, 41 more are left out.")).to_be_visible()
    expect(page.locator(".graph-node")).to_have_count(200)


def test_a_task_of_its_own_has_no_graph(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, metadata={"dependencies": ["task-1"]})
    page = open_dashboard(path_of(project, tab="graph")).page
    expect(page.get_by_text("It depends on no task, and has started none.")).to_be_visible()
    expect(page.locator(".graph-node")).to_have_count(0)
