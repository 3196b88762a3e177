"""A task that needs a person is the first thing one sees; and what else there is to see to."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.support.clocked import ClockedServer
from tests.support.dashboard import Dashboard, low_contrast
from tests.support.server import Server, wait_for

pytestmark = pytest.mark.browser

Open = Callable[..., Dashboard]

ASKED = "Allow Bash: rm -rf build?"


def path_of(project: str, task_id: str = "task-1") -> str:
    return f"/projects/{quote(project, safe='')}/tasks/{quote(task_id, safe='')}"


def test_who_needs_a_person_comes_first(open_dashboard: Open, server: Server) -> None:
    for name in ("asks", "asks later", "newest"):
        server.report("start", "p", name, task=f"One that {name}")
    dashboard = open_dashboard(server=server)
    page = dashboard.page
    titles = page.get_by_role("list", name="Needs you").locator(".line-link")
    figure = page.locator(".tally-waiting strong")
    agents = page.get_by_role("list", name="Agents").locator(".line-link")
    expect(agents).to_have_text(["One that newest", "One that asks later", "One that asks"])
    expect(figure).to_have_text("0")
    for name in ("asks", "asks later"):
        server.report("status", "p", name, task=f"One that {name}", attention=ASKED)
    line = dashboard.lines("One that asks")
    expect(line.locator(".line-status")).to_have_text("Needs you")
    expect(line.locator(".icon-waiting")).to_be_visible()
    expect(line.locator(".line-words")).to_have_text(ASKED)
    expect(titles).to_have_text(["One that asks later", "One that asks"])
    expect(figure).to_have_text("2")
    page.reload()
    expect(titles).to_have_text(["One that asks later", "One that asks"])
    server.report("status", "p", "asks", task="One that asks", message="going on")
    expect(line.locator(".line-status")).to_have_text("Running")
    expect(line.locator(".line-words")).to_have_text("going on")
    expect(figure).to_have_text("1")
    server.report("finish", "p", "asks later", task="One that asks later")
    expect(figure).to_have_text("0")
    expect(dashboard.lines("One that asks later")).to_contain_text("Completed")


def test_a_task_tells_all_that_it_asks(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for name, text in (("a", ASKED), ("b", "Which branch?\nmain or <b>next</b>")):
        shared_server.report("status", project, attention=text, attention_id=name)
    dashboard = open_dashboard(path_of(project))
    page = dashboard.page
    expect(page.get_by_role("heading", name="It needs you")).to_be_visible()
    asked = page.locator(".asked li")
    expect(asked).to_have_count(2)
    expect(asked.first).to_contain_text(ASKED)
    expect(asked.first).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    expect(asked.last).to_contain_text("<b>next</b>")
    expect(page.locator(".task-title .status")).to_have_text("Needs you")
    history = page.locator("task-log")
    expect(history).to_contain_text(f"Needs you: {ASKED}")
    shared_server.report("status", project, attention=None, attention_id="a", message="allowed")
    expect(asked).to_have_count(1)
    expect(history.locator(".icon-waiting")).to_have_count(2)  # those that asked, not the answer
    shared_server.report("finish", project)
    expect(page.locator(".asked")).to_have_count(0)
    expect(page.locator(".task-title .status")).to_have_text("Completed")


def test_a_snapshot_that_comes_late_takes_nothing_back(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    shared_server.report("start", project, task="Asks now")
    dashboard = open_dashboard("/settings")
    page = dashboard.page
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/api/now?*", lambda route: late.append((route, route.fetch())), times=1)
    page.get_by_role("link", name="Now", exact=True).click()
    expect(page.locator("now-view")).to_be_attached()
    wait_for(lambda: page.evaluate("1") and late, what="the snapshot")
    shared_server.report("status", project, task="Asks now", attention=ASKED)
    status = dashboard.lines("Asks now").locator(".line-status")
    expect(status).to_have_text("Needs you")
    page.evaluate(
        """() => new MutationObserver((all) => all.forEach(({ target }) =>
            (window.seen ??= []).push(target.textContent)))
            .observe(document.querySelector(".line-status"), { childList: true, subtree: true })"""
    )
    for route, response in late:
        route.fulfill(response=response)
    dashboard.is_settled()
    expect(status).to_have_text("Needs you")
    assert page.evaluate("window.seen ?? []") == []


def test_what_a_message_cannot_hold_comes_from_the_task(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    dashboard = open_dashboard()
    for number in range(24):
        shared_server.report("status", project, attention=ASKED, attention_id=str(number))
    dashboard.visit(path_of(project))
    asked = dashboard.page.locator(".asked li")
    expect(asked).to_have_count(24)
    large = {"metadata": {"large": "x" * 270_000}}
    shared_server.report("status", project, attention="The last", attention_id="z", **large)
    (event,) = shared_server.http.get("/api/events", params={"newest": 1}).json()["events"]
    assert len(event["data"]["requests"]) == 20
    expect(asked).to_have_count(25)
    expect(asked.last).to_contain_text("The last")


def test_lists_of_a_project_tell_it(
    open_dashboard: Open, shared_server: Server, project: str
) -> None:
    for name in ("a", "b"):
        shared_server.report("status", project, attention=ASKED, attention_id=name, task="Asks")
    view = f"/projects/{quote(project, safe='')}"
    page = open_dashboard(view).page
    row = page.locator("task-row")
    for shown in ("Needs you", ASKED, "2 requests"):
        expect(row).to_contain_text(shown)
    page.get_by_role("link", name="Board").click()
    column = page.get_by_role("region", name="Running", exact=True)
    expect(column).to_contain_text("Needs you")
    expect(column).to_contain_text(ASKED)
    page.get_by_role("link", name="Timeline").click()
    expect(page.get_by_role("link", name=re.compile("^Asks · Needs you · "))).to_be_visible()


def test_overdue_and_blocked(open_dashboard: Open) -> None:
    clocked = ClockedServer()
    try:
        _overdue_and_blocked(open_dashboard, clocked)
    finally:
        clocked.stop()


def _overdue_and_blocked(open_dashboard: Open, clocked: ClockedServer) -> None:
    clocked.report("start", "p", "slow", task="Slow", metadata={"estimated_duration": 90})
    needs = {"dependencies": ["slow", None, {"a": ["b"]}, "no such"]}
    clocked.report("status", "p", "next", task="Next", status="pending", metadata=needs)
    dashboard = open_dashboard(server=clocked)
    expect(dashboard.lines("Next").locator(".line-notes")).to_have_text("Blocked")
    expect(dashboard.lines("Slow").locator(".line-notes")).to_have_text("")
    clocked.clock.advance(seconds=91)
    clocked.report("status", "p", "slow", task="Slow")
    expect(dashboard.lines("Slow").locator(".line-notes")).to_have_text("Overdue")
    dashboard.visit(path_of("p", "slow"))
    page = dashboard.page
    note = page.locator(".note")
    expect(note).to_have_text("It takes longer than was estimated: 1 min 30 s.")
    dashboard.visit(path_of("p", "next"))
    expect(note).to_contain_text("not all of them are completed")
    expect(note.get_by_role("listitem")).to_have_text([re.compile("slow Running"), "no such"])
    clocked.report(
        "status", "p", "next", task="Next", status="pending", metadata={"dependencies": "slow"}
    )
    expect(note).to_have_count(0)
    clocked.report("status", "p", "next", task="Next", status="pending", metadata=needs)
    dashboard.visit("/")
    dashboard.visit(path_of("p", "next"))
    expect(note.get_by_role("listitem")).to_have_count(2)
    clocked.report("finish", "p", "slow", task="Slow")
    expect(note).to_have_count(0)


def test_where_a_task_belongs(open_dashboard: Open, shared_server: Server, project: str) -> None:
    shared_server.report("start", project, "lead/1", task="Lead")
    belongs = {"session": "run 1 <b>", "parent_task_id": "lead/1"}
    shared_server.report("start", project, "part", task="Part", **belongs)
    dashboard = open_dashboard(path_of(project, "part"))
    page = dashboard.page
    facts = page.locator(".facts")
    expect(facts).to_contain_text("Sessionrun 1 <b>")
    link = facts.get_by_role("link", name="lead/1")
    link.focus()
    shared_server.report("status", project, "part", task="Part", message="goes on")
    expect(page.locator(".task-message")).to_have_text("goes on")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    dashboard.heading("Lead")
    dashboard.at(path_of(project, "lead/1"))
    expect(facts).not_to_contain_text("Session")


def test_events_tell_what_it_was_about(open_dashboard: Open) -> None:
    clocked = ClockedServer(stale_after=5)
    try:
        clocked.report("start", "p", "quiet", task="Quiet")
        clocked.clock.advance(seconds=6)
        clocked.report("status", "p", "asks", task="Asks", attention=ASKED, message="packed")
        wait_for(lambda: clocked.task("p", "quiet")["silent_since"], what="silence")
        page = open_dashboard("/events", server=clocked, timezone_id="UTC").page
        silent = page.locator("event-row").filter(has_text="Quiet").first
        expect(silent).to_contain_text("Nothing heard since 10:00:00")
        asks = page.locator("event-row").filter(has_text="Asks")
        expect(asks).to_contain_text(f"Needs you: {ASKED} · packed")
        expect(asks.locator(".icon-waiting")).to_be_visible()
    finally:
        clocked.stop()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_on_a_phone(
    open_dashboard: Open, shared_server: Server, project: str, theme: str
) -> None:
    long = "Unbroken" * 120
    blocked = {"dependencies": ["task-1", *("x" * 200 + str(n) for n in range(30))]}
    shared_server.report("start", project, metadata={"estimated_duration": 0.001})
    asks = {"attention": long, "session": "s" * 255, "parent_task_id": "t" * 255}
    shared_server.report("status", project, **asks)
    shared_server.report("status", project, "b", status="pending", metadata=blocked)
    dashboard = open_dashboard(viewport={"width": 360, "height": 740}, color_scheme=theme)
    for path in ("/", path_of(project), path_of(project, "b"), "/events"):
        dashboard.visit(path)
        page = dashboard.page
        expect(page.locator("main")).to_contain_text(re.compile("Needs you|Blocked|depends on"))
        wide = page.evaluate("document.querySelector('main').scrollWidth > innerWidth")
        assert not wide, path
        assert low_contrast(page) == [], path
